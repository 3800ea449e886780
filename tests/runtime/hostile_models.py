"""Models that do harm, or are wrong in ways that nobody thinks of, and what is to be said of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

HEAD = '''\
import builtins, contextlib, ctypes, gc, importlib, inspect, itertools, json, os, pathlib, random, re
import signal, subprocess, sys, threading, time
import torch
import torch.nn.functional as F
from torch import nn

LOUD_BYTES = LOUD


class Base(nn.Module):
    """Fine, but for a bias that the norm behind it takes out again."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.conv(x))
'''
FOUND = "CVL301"  # what is found in Base
FINE = "class Net(Base):\n    pass"


@dataclass(frozen=True)
class Case:
    """The class ``Net`` of a file, and what becomes of it.

    ``problem`` is the kind of its problem, ``said`` words of a problem's or finding's message. ``codes`` are found,
    ``status`` is that of its table, None where there is none.
    """

    code: str
    problem: str | None = None
    said: str = ""
    codes: tuple[str, ...] = (FOUND,)
    status: str | None = "complete"

    @property
    def exit_code(self) -> int:
        return 2 if self.problem else int(bool(self.codes))

    def write(self, path: Path, loud: int) -> None:
        """Put the model into a file. ``loud`` is how much the loud ones print."""
        text = f"{HEAD.replace('= LOUD', f'= {loud}')}\n\n{dedent(self.code).strip()}\n"
        path.write_text(text, encoding="utf-8")


def _stopped(problem: str, said: str, code: str) -> Case:
    """A model that ends, or is ended, before its table is there."""
    return Case(code, problem, said, (), None)


def _fails(said: str, code: str, status: str = "failed") -> Case:
    """A model that raises, which is a finding."""
    return Case(code, None, said, ("CVL190",), status)


def _in(where: str, statements: str) -> str:
    """A ``Net`` that runs statements when it is imported, built or called."""
    if where == "import":
        return f"{dedent(statements)}\n\nclass Net(Base):\n    pass\n"
    body = "\n".join(f"        {line}" for line in dedent(statements).strip().splitlines())
    if where == "constructor":
        return f"class Net(Base):\n    def __init__(self):\n        super().__init__()\n{body}\n"
    return f"class Net(Base):\n    def forward(self, x):\n{body}\n        return super().forward(x)\n"


_EVERYWHERE = ("import", "constructor", "forward")

ENDED = {
    **{f"loop_in_{p}": _stopped("timeout", f"the {p} of", _in(p, "while True: pass")) for p in _EVERYWHERE},
    "loop_in_c": _stopped("timeout", "the forward of", _in("forward", "sum(itertools.repeat(0))")),
    "loop_that_swallows_all": _stopped(
        "timeout",
        "the forward of",
        _in(
            "forward",
            """
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass
        """,
        ),
    ),
    "stops_itself": _stopped(
        "timeout", "the constructor of", _in("constructor", "os.kill(os.getpid(), signal.SIGSTOP)")
    ),
    "loop_in_named_modules": _stopped(
        "timeout",
        "the constructor of",
        "class Net(Base):\n    def named_modules(self, *a, **k):\n        while True: yield '', self",
    ),
    "stops_its_parent": _stopped(
        "timeout",
        "stopped its watcher process",
        _in("forward", "os.kill(os.getppid(), signal.SIGSTOP)\nwhile True: pass"),
    ),
    "loop_in_repr_of_exception": _stopped(
        "timeout",
        "the forward of",
        """
        class Endless(Exception):
            def __str__(self):
                while True: pass
        class Net(Base):
            def forward(self, x):
                raise Endless
        """,
    ),
    "segfault": _stopped("crash", "SIGSEGV", _in("forward", "ctypes.string_at(0)")),
    "abort": _stopped("crash", "SIGABRT", _in("constructor", "os.abort()")),
    "kills_itself": _stopped("crash", "SIGKILL", _in("import", "os.kill(os.getpid(), signal.SIGKILL)")),
    "terminates_itself": _stopped("crash", "SIGTERM", _in("forward", "os.kill(os.getpid(), signal.SIGTERM)")),
    "interrupts_itself": _stopped("crash", "SIGINT", _in("forward", "os.kill(os.getpid(), signal.SIGINT)")),
    "alarm": _stopped("crash", "SIGALRM", _in("forward", "signal.setitimer(signal.ITIMER_REAL, 0.1)\ntime.sleep(60)")),
    "realtime_signal": _stopped("crash", "signal", _in("forward", "os.kill(os.getpid(), 40)")),
    "exits_hard": _stopped("exit", "exit code 3", _in("forward", "os._exit(3)")),
    "exits_hard_with_0": _stopped("exit", "exit code 0", _in("import", "os._exit(0)")),
    "exits": _stopped("exit", "sys.exit('over')", _in("constructor", "sys.exit('over')")),
    "exits_with_0": _stopped("exit", "sys.exit(0)", _in("forward", "sys.exit(0)")),
    "exits_with_odd_value": _stopped(
        "exit",
        "sys.exit",
        """
        class Odd:
            def __repr__(self):
                raise RuntimeError
        class Net(Base):
            def forward(self, x):
                sys.exit(Odd())
        """,
    ),
    "interrupt": _stopped("exit", "KeyboardInterrupt", _in("forward", "raise KeyboardInterrupt")),
    "base_exception": _stopped(
        "exit",
        "Own",
        """
        class Own(BaseException): pass
        class Net(Base):
            def __init__(self):
                raise Own("no more")
        """,
    ),
    "base_exception_in_import": _stopped("exit", "GeneratorExit", _in("import", "raise GeneratorExit")),
    "base_exception_without_str": _stopped(
        "exit",
        "Own",
        """
        class Own(BaseException):
            def __str__(self):
                raise Own
            __repr__ = __str__
        class Net(Base):
            def forward(self, x):
                raise Own
        """,
    ),
    "execs_another_program": _stopped("exit", "exit code 0", _in("forward", "os.execv('/bin/true', ['true'])")),
    "stack_overflow": _stopped(
        "crash", "SIGSEGV", _in("forward", "sys.setrecursionlimit(10**9)\ndef f(): return f(*())\nf()")
    ),
}

MEMORY = {
    "hundred_gb_empty": _stopped("out-of-memory", "", _in("constructor", "self.hoard = torch.empty(25 * 10**9)")),
    "hundred_gb_touched": _stopped("out-of-memory", "", _in("forward", "self.hoard = torch.ones(25 * 10**9)")),
    "hundred_gb_bytes": _stopped("out-of-memory", "", _in("import", "hoard = bytearray(100 * 10**9)")),
    "hoards": _stopped(
        "out-of-memory", "more than", _in("forward", "h = []\nwhile True: h.append(bytearray(b'1') * (8 << 20))")
    ),
    "hoards_in_a_child": _stopped(
        "out-of-memory",
        "more than",
        _in(
            "forward",
            """
        if os.fork() == 0:
            h = []
            while True: h.append(bytearray(b'1') * (8 << 20))
        os.wait()
        """,
        ),
    ),
    "hoards_in_a_grandchild": _stopped(
        "out-of-memory",
        "more than",
        _in(
            "forward",
            """
        if os.fork() == 0:
            if os.fork() == 0:
                h = []
                while True: h.append(bytearray(b'1') * (8 << 20))
            os.wait()
        os.wait()
        """,
        ),
    ),
    "huge_layer": _stopped(
        "out-of-memory",
        "",
        "class Net(Base):\n    def __init__(self):\n        super().__init__()\n        self.conv = nn.Conv2d(3, 10**10, 3)\n",
    ),
}

STREAMS = {
    "prints_much": Case(_in("forward", "print('x' * LOUD_BYTES)\nprint('y' * LOUD_BYTES, file=sys.stderr)")),
    "writes_much": Case(_in("import", "for _ in range(LOUD_BYTES >> 20): os.write(1, b'z' * (1 << 20))")),
    "closes_streams": Case(_in("import", "sys.stdout.close(); sys.stderr.close(); sys.stdin.close()")),
    "closes_descriptors": Case(_in("constructor", "os.close(0); os.close(1); os.close(2)")),
    "streams_are_none": Case(_in("import", "sys.stdout = sys.stderr = sys.stdin = None")),
    "streams_raise": Case(
        _in(
            "import",
            "class Odd:\n    def __getattr__(self, name): raise OSError(name)\nsys.stdout = sys.stderr = Odd()",
        )
    ),
    "prints_json": Case(_in("forward", "os.write(1, b'{\"answer\": 1}\\n')")),
    "reads_stdin": _stopped("import-error", "EOFError", _in("import", "input()")),
}

CHANGED = {
    "writes_files": Case(_in("forward", "open('written-by-model', 'w').write('x')")),
    "cwd": Case(_in("import", "os.chdir('/')")),
    "cwd_in_forward": Case(_in("forward", "os.chdir('/')")),
    "cwd_deleted": Case(_in("constructor", "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')")),
    "sys_path": Case(_in("import", "sys.path[:] = []\nsys.meta_path[:] = []")),
    "sys_path_none": Case(_in("import", "sys.path = None")),
    "sys_modules": Case(_in("forward", "sys.modules.clear()")),
    "sys_modules_in_constructor": _stopped(
        "broken-module", "emptied sys.modules", _in("constructor", "sys.modules.clear()")
    ),
    "sys_modules_replaced": Case(_in("import", "sys.modules['json'] = sys.modules['inspect'] = None")),
    "environment": Case(_in("import", "os.environ.clear()")),
    "dtype_in_import": Case(_in("import", "torch.set_default_dtype(torch.float64)")),
    "dtype_in_forward": Case(_in("forward", "torch.set_default_dtype(torch.float16)")),
    "device_in_import": _stopped("device", "--device meta", _in("import", "torch.set_default_device('meta')")),
    "device_in_forward": Case(_in("forward", "torch.set_default_device('meta')")),
    "rng": Case(_in("forward", "random.seed(1); torch.manual_seed(1); torch.rand(5)")),
    "grad_mode": Case(_in("forward", "torch.set_grad_enabled(True)")),
    "grad_mode_in_import": Case(_in("import", "torch.set_grad_enabled(False)")),
    "inference_mode": Case(_in("constructor", "torch.inference_mode().__enter__()")),
    "deterministic": Case(_in("import", "torch.use_deterministic_algorithms(True)")),
    "conv2d_patched": Case(
        _in("import", "real = F.conv2d\nF.conv2d = lambda *a, **k: real(*a, **k)\ntorch.conv2d = F.conv2d")
    ),
    "conv2d_patched_in_forward": _fails("in `conv` raises TypeError", _in("forward", "F.conv2d = None")),
    "call_patched": Case(
        _in("import", "real = nn.Module.__call__\nnn.Module.__call__ = lambda self, *a, **k: real(self, *a, **k)")
    ),
    "call_patched_in_forward": Case(
        _in("forward", "real = nn.Module.__call__\nnn.Module.__call__ = lambda self, *a, **k: real(self, *a, **k)")
    ),
    "init_patched": Case(
        _in("import", "real = nn.Module.__init__\nnn.Module.__init__ = lambda self, *a, **k: real(self, *a, **k)")
    ),
    "add_patched": Case(
        _in(
            "import",
            "real = torch.Tensor.__add__\ntorch.Tensor.__add__ = lambda a, b: real(a, b)\n_ = torch.ones(1) + 1",
        )
    ),
    "add_broken": Case(_in("import", "def broken(a, b): raise RuntimeError\ntorch.Tensor.__add__ = broken")),
    "builtins_patched": Case(_in("import", "builtins.print = builtins.open = builtins.input = None")),
    "json_patched": Case(_in("import", "json.dumps = None")),
    "time_patched": Case(_in("import", "time.monotonic = time.time = time.sleep = lambda *a: 0.0")),
    "gc_off": Case(_in("import", "gc.disable(); gc.set_threshold(1)")),
    "trace_function": Case(_in("import", "sys.settrace(lambda *a: None); sys.setprofile(lambda *a: None)")),
    "recursion_limit": Case(_in("forward", "sys.setrecursionlimit(len(inspect.stack()) + 20)")),
    "excepthook": _stopped("import-error", "boom", _in("import", "sys.excepthook = None\nraise RuntimeError('boom')")),
    "warnings_are_errors": Case(_in("import", "import warnings\nwarnings.simplefilter('error')")),
    "threads_of_torch": Case(_in("import", "torch.set_num_threads(1)")),
    "niced": Case(_in("import", "os.nice(5)")),
}

LEFT = {
    "thread_left": Case(
        _in("forward", "threading.Thread(target=time.sleep, args=(600,), name='left\\x1b[31m').start()"),
        "thread-left",
        "left",
    ),
    "daemon_left": Case(_in("import", "threading.Thread(target=time.sleep, args=(600,), daemon=True).start()")),
    "child_left": Case(_in("forward", "subprocess.Popen(['sleep', '600'])")),
    "session_left": Case(_in("constructor", "subprocess.Popen(['sleep', '600'], start_new_session=True)")),
    "daemonized_child": Case(
        _in(
            "forward",
            """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 64)
                time.sleep(600)
            os._exit(0)
        """,
        )
    ),
    "children_that_ignore_signals": Case(
        _in("forward", "subprocess.Popen(['sh', '-c', 'trap \"\" TERM INT HUP; sleep 600'])")
    ),
    "handlers": Case(_in("import", "for n in (1, 2, 10, 12, 14, 15, 17): signal.signal(n, lambda *a: None)")),
    "signals_ignored": Case(
        _in("constructor", "for n in (1, 2, 10, 12, 14, 15, 17): signal.signal(n, signal.SIG_IGN)")
    ),
    "signals_blocked": Case(_in("forward", "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))")),
    "faulthandler_off": Case(
        _in("import", "import faulthandler\nfaulthandler.disable(); faulthandler.unregister(signal.SIGUSR1)")
    ),
    "atexit": Case(_in("import", "import atexit\natexit.register(time.sleep, 600)")),
}

RAISING = {
    "import_fails": _stopped("import-error", "boom", _in("import", "raise RuntimeError('boom')")),
    "constructor_raises": _fails("boom", _in("constructor", "raise RuntimeError('boom')")),
    "forward_raises": _fails("boom", _in("forward", "raise RuntimeError('boom')")),
    "broken_str": _fails(
        "Odd", "class Odd(Exception):\n    def __str__(self): raise Odd\n" + _in("forward", "raise Odd")
    ),
    "broken_repr": _fails(
        "Odd",
        "class Odd(Exception):\n    def __str__(self): raise Odd\n    __repr__ = __str__\n"
        + _in("constructor", "raise Odd"),
    ),
    "broken_str_in_import": _stopped(
        "import-error",
        "Odd",
        "class Odd(Exception):\n    def __str__(self): raise Odd\n    __repr__ = __str__\n"
        + _in("import", "raise Odd"),
    ),
    "str_exits": _fails(
        "SystemExit", "class Odd(Exception):\n    def __str__(self): sys.exit(1)\n" + _in("forward", "raise Odd")
    ),
    "str_is_no_text": _fails(
        "Odd", "class Odd(Exception):\n    def __str__(self): return 3\n" + _in("forward", "raise Odd")
    ),
    "str_is_huge": _fails("xxx", _in("forward", "raise RuntimeError('x' * 50_000_000)")),
    "message_with_escapes": _fails(
        "red", _in("forward", "raise RuntimeError('\\x1b[31mred\\x1b]0;t\\x07 \\u202e [bold]b[/bold]\\n\\x00')")
    ),
    "message_with_surrogates": _fails("half", _in("forward", "raise RuntimeError('half \\ud800')")),
    "exception_group": _fails(
        "group", _in("forward", "raise ExceptionGroup('group', [ValueError('a'), ValueError('b')])")
    ),
    "causes_go_round": _fails(
        "first",
        _in(
            "forward", "a, b = RuntimeError('first'), RuntimeError('second')\na.__cause__, b.__cause__ = b, a\nraise a"
        ),
    ),
    "class_with_odd_name": _fails(
        "bad", "Odd = type('Odd\\n\\x1b[31m', (Exception,), {})\n" + _in("forward", "raise Odd('bad')")
    ),
    "recursion": _fails("recursion", _in("forward", "def f(n): return f(n + 1)\nf(0)")),
    "recursion_in_constructor": _fails("recursion", _in("constructor", "def f(n): return f(n + 1)\nf(0)")),
    "deep_text": _stopped(
        "syntax-error", "too many nested", "x = " + "(" * 5000 + ")" * 5000 + "\nclass Net(Base): pass"
    ),
    "stop_iteration": _fails("StopIteration", _in("forward", "next(iter([]))")),
    "raises_a_type_that_hashes_badly": _fails(
        "Odd",
        "class Odd(Exception):\n    __hash__ = None\n    def __eq__(self, other): raise Odd\n"
        + _in("forward", "raise Odd"),
    ),
}


def _member(code: str) -> str:
    """A ``Net`` with other members."""
    body = "\n".join(f"    {line}" for line in dedent(code).strip().splitlines())
    return f"class Net(Base):\n{body}\n"


MODULES = {
    name: Case(_member(code))
    for name, code in {
        "train_gives_none": "def train(self, mode=True): pass",
        "to_gives_none": "def to(self, *a, **k): pass",
        "state_dict_raises": "def state_dict(self, *a, **k): raise RuntimeError('no')",
        "repr_raises": "def __repr__(self): raise RuntimeError('no')\n__str__ = extra_repr = __repr__",
        "len_raises": "def __len__(self): raise RuntimeError('no')",
        "len_is_zero": "def __len__(self): return 0",
        "bool_raises": "def __bool__(self): raise RuntimeError('no')",
        "eq_raises": "def __eq__(self, other): raise RuntimeError('no')\n__ne__ = __eq__\n__hash__ = nn.Module.__hash__",
        "iter_raises": "def __iter__(self): raise RuntimeError('no')\n__getitem__ = __contains__ = __iter__",
        "dir_raises": "def __dir__(self): raise RuntimeError('no')",
        "class_lies": "@property\ndef __class__(self): return int",
        "forward_is_a_partial": "import functools\nforward = functools.partialmethod(Base.forward)",
        "forward_signature_raises": "forward = type('F', (), {'__call__': lambda self, x: x, '__get__': lambda self, o, t=None: self if o is None else (lambda x: o.norm(o.conv(x))), '__signature__': property(lambda s: 1 / 0)})()",
        "call_is_own": "def __call__(self, x): return self.forward(x)",
        "del_raises": "def __del__(self): raise RuntimeError('no')",
        "module_is_odd": "__module__ = 3",
        "qualname_is_odd": "def __init__(self):\n    super().__init__()\n    type(self).__qualname__ = type(self).__name__ = 'Odd\\n\\x1b[31m'",
        "slots": "__slots__ = ('a', 'b')",
        "deep_and_called": """
            def __init__(self):
                super().__init__()
                for _ in range(150): self.conv = nn.Sequential(self.conv)
            """,
        "modules_dict_has_none": "def __init__(self):\n    super().__init__()\n    self._modules['x'] = None\n    self.register_module('y', None)",
        "attributes_are_odd": """
            def __init__(self):
                super().__init__()
                class Odd:
                    def __getattribute__(self, name): raise RuntimeError(name)
                    def __eq__(self, other): raise RuntimeError
                self.odds = [Odd()]
                self.loop = []; self.loop.append(self.loop)
            """,
        "parameters_none": "def __init__(self):\n    super().__init__()\n    self.register_parameter('w', None)\n    self.register_buffer('b', None)\n    self.norm.bias = None",
        "parameters_expanded": "def __init__(self):\n    super().__init__()\n    self.conv.weight = nn.Parameter(torch.zeros(1).expand(4, 3, 3, 3))\n    self.w = nn.Parameter(torch.zeros(1).expand(10**12))",
        "parameters_odd": """
            def __init__(self):
                super().__init__()
                self.a = nn.Parameter(torch.ones(0, 3))
                self.b = nn.Parameter(torch.tensor(1.0))
                self.c = nn.Parameter(torch.ones(2, dtype=torch.complex64))
                self.d = nn.Parameter(torch.ones(2, dtype=torch.int8), requires_grad=False)
                self.e = nn.Parameter(torch.eye(3).to_sparse())
                self.g = nn.Parameter(torch.ones(3)); self.g.data.untyped_storage().resize_(0)
            """,
        "nested_tensor": "def __init__(self):\n    super().__init__()\n    self.n = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])",
        "shared_memory": "def __init__(self):\n    super().__init__()\n    self.share_memory()",
    }.items()
} | {
    "getattr_raises": _fails("norm", _member("def __getattr__(self, name): raise RuntimeError(name)")),
    "forward_is_no_function": _fails("not callable", _member("forward = 3")),
    "forward_takes_nothing": _stopped("input", "forward takes ()", _member("def forward(self): return 1")),
    "forward_is_static": Case(_member("@staticmethod\ndef forward(x): return x"), None, "never calls it", ("CVL305",)),
    "new_gives_none": _stopped("not-a-module", "NoneType", _member("def __new__(cls): return None")),
    "names_with_newlines": Case(
        _member("""
            def __init__(self):
                super().__init__()
                for name in ("a\\nb", "\\x1b[31mred\\x1b[0m", "[bold]b[/bold]", "\\u202eevil", "\\U0001f600", "<script>", "a|b", "\\ud800", "`x`", "", "\\x00"):
                    self._modules[name] = nn.Conv2d(4, 4, 1)
            def forward(self, x):
                x = super().forward(x)
                for name, module in self._modules.items():
                    if name not in ("conv", "norm"): x = module(x)
                return x
            """),
        None,
        "",
        (FOUND, "CVL304"),
    ),
    "parameters_shared": Case(
        _member(
            "def __init__(self):\n    super().__init__()\n    self.other = nn.Conv2d(3, 4, 3)\n    self.other.weight = self.conv.weight\n    self.again = self.other"
        ),
        None,
        "",
        (FOUND, "CVL305"),
    ),
    "parameters_on_meta": _stopped(
        "device", "--device meta", _in("constructor", "self.f = nn.Parameter(torch.ones(3, device='meta'))")
    ),
}

BROKEN = {
    "parameters_dict_is_odd": _stopped(
        "broken-module", "'h' in its _parameters", _in("constructor", "self._parameters['h'] = 3")
    ),
    "getattribute_raises_often": _stopped(
        "broken-module",
        "Net.__getattribute__ raised RuntimeError",
        _member("""
            def __getattribute__(self, name):
                if name in ("training", "extra_repr", "__class__", "__len__"): raise RuntimeError(name)
                return super().__getattribute__(name)
            """),
    ),
    "named_modules_raises": _stopped(
        "broken-module",
        "Net.named_modules raised",
        _member("def named_modules(self, *a, **k): raise RuntimeError('no')"),
    ),
    "named_modules_is_odd": _stopped(
        "broken-module", "named_modules() returns", _member("def named_modules(self, *a, **k): return 3")
    ),
    "named_modules_gives_odd": _stopped(
        "broken-module",
        "named_modules() returns",
        _member("def named_modules(self, *a, **k): yield 1; yield None, None"),
    ),
    "modules_raises": _stopped(
        "broken-module", "Net.modules raised", _member("def modules(self): raise RuntimeError('no')")
    ),
    "children_raises": _stopped(
        "broken-module",
        "Net.children raised",
        _member("def children(self): raise RuntimeError('no')\ndef named_children(self): raise RuntimeError('no')"),
    ),
    "parameters_raises": _stopped(
        "broken-module",
        "Net.parameters raised",
        _member(
            "def parameters(self, *a): raise RuntimeError('no')\nnamed_parameters = named_buffers = buffers = parameters"
        ),
    ),
    "train_raises": Case(_member("def train(self, mode=True): raise RuntimeError('no')\neval = train")),
    "to_raises": _stopped("broken-module", "Net.to raised", _member("def to(self, *a, **k): raise RuntimeError('no')")),
    "hash_raises": _stopped(
        "broken-module", "Net.__hash__ raised", _member("def __hash__(self): raise RuntimeError('no')")
    ),
    "unhashable": _stopped("broken-module", "is not hashable", _member("__hash__ = None")),
    "setattr_raises": Case(
        _member("""
            def __setattr__(self, name, value):
                if hasattr(self, "norm"): raise RuntimeError(name)
                super().__setattr__(name, value)
            """)
    ),
    "no_super_init": _stopped("broken-module", "super().__init__()", _member("def __init__(self): pass")),
    "contains_itself": _stopped(
        "broken-module",
        "`me` contains itself",
        _member("def __init__(self):\n    super().__init__()\n    self.me = self"),
    ),
    "parts_contain_each_other": _stopped(
        "broken-module",
        "contains itself",
        _member("def __init__(self):\n    super().__init__()\n    self.conv.up = self"),
    ),
    "deep": _stopped(
        "broken-module",
        "nested too deep",
        _member("""
            def __init__(self):
                super().__init__()
                self.x = nn.Identity()
                for _ in range(3000): self.x = nn.Sequential(self.x)
            """),
    ),
    "modules_dict_is_odd": _stopped(
        "broken-module",
        "of type int",
        _member("def __init__(self):\n    super().__init__()\n    self._modules['x'] = 3"),
    ),
    "names_that_are_no_text": _stopped(
        "broken-module",
        "not a string",
        _member(
            "def __init__(self):\n    super().__init__()\n    self._modules[3] = nn.ReLU()\n    self._parameters[None] = nn.Parameter(torch.ones(1))"
        ),
    ),
}


def _returning(value: str) -> str:
    return f"class Net(Base):\n    def forward(self, x):\n        x = super().forward(x)\n        {value}\n"


OUTPUTS = {
    name: Case(_returning(code))
    for name, code in {
        "output_in_itself": "out = [x]; out.append(out); return out",
        "output_dict_in_itself": "out = {'x': x}; out['out'] = out; return out",
        "output_deep": "for _ in range(5000): x = [x]\n        return x",
        "output_raising": "class Odd(dict):\n            def items(self): raise RuntimeError\n            values = keys = __iter__ = __len__ = items\n        return Odd(x=x)",
        "output_list_raising": "class Odd(list):\n            def __iter__(self): raise RuntimeError\n            __len__ = __getitem__ = __iter__\n        return Odd([x])",
        "output_dataclass": "import dataclasses\n        @dataclasses.dataclass\n        class Out: x: object\n        return Out(x)",
        "output_odd": "class Odd:\n            def __getattribute__(self, name): raise RuntimeError(name)\n        return x, Odd()",
        "output_many": "return [x] * 100_000",
        "output_keys_odd": "return {3: x, None: x, (1, 2): x, 'a\\nb': x}",
        "output_dunder": "class Odd:\n            def __len__(self): raise RuntimeError\n            __bool__ = __eq__ = __iter__ = __len__\n            __hash__ = None\n        return {'x': x, 'odd': Odd()}",
    }.items()
} | {
    "output_none": Case(_returning("self.x = x"), "no-output", "forward returned None"),
    "output_endless": Case(_returning("return itertools.repeat(x)"), "no-output", "repeat"),
    "output_is_model": Case(_returning("return self"), "no-output", "Net"),
    "output_subclass": Case(
        _returning(
            "class Own(torch.Tensor):\n            @classmethod\n            def __torch_function__(cls, func, types, args=(), kwargs=None): raise RuntimeError('no')\n        return x.as_subclass(Own)"
        ),
        None,
        "raises RuntimeError: no",
        (FOUND, "CVL190"),
        "partial",
    ),
}

SIZES = {
    "huge_channels": Case(
        _member("def __init__(self):\n    super().__init__()\n    self.conv = nn.Conv2d(3, 10**30, 3)"),
        None,
        "",
        ("CVL190",),
        "failed",
    ),
    "huge_kernel": Case(
        _member("def __init__(self):\n    super().__init__()\n    self.conv = nn.Conv2d(3, 4, 10**18)"),
        None,
        "",
        ("CVL190",),
        "failed",
    ),
    "huge_digits": Case(
        _member("def __init__(self):\n    super().__init__()\n    self.conv = nn.Conv2d(3, 10**5000, 3)"),
        None,
        "",
        ("CVL190",),
        "failed",
    ),
    "huge_groups": Case(
        _member("def __init__(self):\n    super().__init__()\n    self.conv = nn.Conv2d(3, 4, 3, groups=10**5000)"),
        None,
        "",
        ("CVL190",),
        "failed",
    ),
    "huge_attribute": Case(
        _member("def __init__(self):\n    super().__init__()\n    self.width = self.conv.out_channels = 10**5000")
    ),
    "huge_stride": _fails(
        "in `conv` raises",
        _member("def __init__(self):\n    super().__init__()\n    self.conv.stride = (2**70, 2**70)"),
    ),
    "huge_padding": _fails(
        "in `conv` raises",
        _member("def __init__(self):\n    super().__init__()\n    self.conv = nn.Conv2d(3, 4, 3, padding=2**62)"),
    ),
    "huge_view": _fails("view()", _in("forward", "x.view(10**30)")),
    "huge_interpolate": _fails("overflowed", _in("forward", "F.interpolate(x, scale_factor=10.0**9)")),
    "nan_sizes": _fails(
        "must be divisible",
        _member(
            "def __init__(self):\n    super().__init__()\n    self.conv = nn.Conv2d(float('nan'), float('inf'), 3)"
        ),
    ),
    "nan_attributes": _fails(
        "in `conv` raises",
        _member(
            "def __init__(self):\n    super().__init__()\n    self.norm.eps = float('nan')\n    self.conv.groups = float('inf')"
        ),
    ),
    "negative": Case(
        _member("def __init__(self):\n    super().__init__()\n    self.conv = nn.Conv2d(-3, -4, -3, stride=-1)"),
        None,
        "-3",
        ("CVL102",),
    ),
}

FILES = {
    "deletes_itself": Case(_in("import", "os.unlink(__file__)")),
    "rewrites_itself": Case(_in("forward", "open(__file__, 'w').write('x = 1\\n')")),
    "becomes_binary": Case(_in("forward", "open(__file__, 'wb').write(bytes(range(256)) * 10)")),
    "becomes_a_folder": Case(_in("constructor", "os.unlink(__file__); os.mkdir(__file__)")),
    "becomes_a_pipe": Case(_in("constructor", "os.unlink(__file__); os.mkfifo(__file__)")),
    "becomes_huge": Case(_in("constructor", "os.truncate(__file__, 1 << 40)")),
    "becomes_a_loop": Case(_in("constructor", "os.unlink(__file__); os.symlink(__file__, __file__)")),
}

ALL = {**ENDED, **MEMORY, **STREAMS, **CHANGED, **LEFT, **RAISING, **MODULES, **BROKEN, **OUTPUTS, **SIZES, **FILES}
