-- Neovim edits net.py, set up as docs/editors.md says: what it sees of the bug with the code g:code, the title of the
-- first action on it, and the text after that action.
local function bug()
  for _, one in ipairs(vim.diagnostic.get(0)) do
    if one.code == vim.g.code then return one end
  end
end
vim.cmd("edit net.py")
vim.wait(20000, function() return bug() ~= nil end, 20)
local client = (vim.lsp.get_clients or vim.lsp.get_active_clients)({ name = "convlint" })[1]
vim.api.nvim_buf_set_lines(0, 0, 0, true, { "# typed \u{1F600}", "" })
local before = bug().lnum
vim.wait(20000, function() return bug() and bug().lnum == before + 2 end, 20)
local found = bug()
print(found.source, vim.api.nvim_buf_get_text(0, found.lnum, found.col, found.end_lnum, found.end_col, {})[1])
vim.api.nvim_win_set_cursor(0, { found.lnum + 1, found.col })
local params = vim.lsp.util.make_range_params(0, client.offset_encoding)
params.context = { diagnostics = {} }
local answer = vim.lsp.buf_request_sync(0, "textDocument/codeAction", params, 20000)
local action = answer[client.id].result[1]
print(action.title)
vim.lsp.util.apply_workspace_edit(action.edit, client.offset_encoding)
print(vim.trim(vim.api.nvim_buf_get_lines(0, found.lnum, found.lnum + 1, true)[1]))
vim.wait(20000, function() return bug() == nil end, 20)
print(bug() == nil and "mended" or "still there")
