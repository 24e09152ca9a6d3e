# ruff: noqa: E501
# code of others is kept as they write it
"""What a hostile submission may try. Each text is the body of a function, or runs at import.

`{canary}` is a file outside the submission that must stay as it is; `{secret}` names an environment
variable of the grader whose value must not come out.
"""

from __future__ import annotations

IN_A_CALL = {
    "endless loop": "while True: pass",
    "endless sleep": "import time; time.sleep(10**6)",
    "endless loop in C": "sum(iter(int, 1))",
    "endless recursion": "f = lambda: f()\nf()",
    "deep recursion on the machine's stack": "import sys; sys.setrecursionlimit(10**8)\ndef f(n): return [f(n + 1)].__len__()\nf(0)",
    "memory by a list": "a = [0]\nwhile True: a = a + a",
    "memory by an array": "np.ones(2**34).sum()",
    "memory by text": "s = 'x' * 1000\nwhile True: s += s",
    "memory a little at a time": "kept = []\nwhile True: kept.append(np.ones(2**20))",
    "fork": "import os; os.fork()",
    "fork bomb": "import os\nwhile True: os.fork()",
    "subprocess": "import subprocess; subprocess.run(['/bin/sh', '-c', 'echo > {canary}'], check=True)",
    "shell": "import os; assert os.system('echo gone > {canary}') == 0",
    "exec": "import os; os.execv('/bin/sh', ['sh', '-c', 'echo gone > {canary}'])",
    "spawn": "import os; os.posix_spawn('/bin/sh', ['sh', '-c', 'echo gone > {canary}'], {{}})",
    "multiprocessing": "import multiprocessing as m; p = m.get_context('fork').Process(target=print); p.start()",
    "terminal": "import pty; pty.fork()",
    "threads": "import threading, time\nfor _ in range(10**5): threading.Thread(target=time.sleep, args=(9,)).start()",
    "sys.exit": "import sys; sys.exit(0)",
    "os._exit": "import os; os._exit(0)",
    "abort": "import os; os.abort()",
    "SystemExit": "raise SystemExit(0)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "GeneratorExit": "raise GeneratorExit",
    "an exception that cannot be told": "class E(BaseException):\n    def __str__(self): raise ValueError\nraise E",
    "an exception with an endless message": "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E",
    "crash": "import ctypes; ctypes.string_at(0)",
    "signal to itself": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "stop itself": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP); raise ValueError",
    "much printing": "for _ in range(3000): print('x' * 10**5)\nraise ValueError",
    "much output": "import os\nfor _ in range(3000): os.write(1, b'x' * 10**5); os.write(2, b'x' * 10**5)\nraise ValueError",
    "a huge result": "return np.zeros(10**8), np.zeros((10**4, 10**4))",
    "an array of objects": "return np.array([object()] * 3), np.array([None])",
    "a result that holds itself": "a = []\na.append(a)\nreturn a, a",
    "a deep result": "a = []\nfor _ in range(10**5): a = [a]\nreturn a, a",
    "a result without end": "class L(list):\n    def __len__(self): return 2\n    def __iter__(self):\n        while True: yield 0.0\nreturn L(), L()",
    "a result that computes": "class A(np.ndarray):\n    def __array_finalize__(self, o):\n        while True: pass\nreturn np.zeros(3).view(A), 1",
    "a result with a hostile reduce": "class R:\n    def __reduce__(self):\n        import os; return os.system, ('echo gone > {canary}',)\nreturn R(), R()",
    "not numbers": "return float('nan'), np.full_like(x, np.nan)",
    "text for numbers": "return '0.5', 'right'",
    "garbage into every pipe": "import os\nfor f in range(3, 64):\n    try: os.write(f, b'garbage' * 100)\n    except OSError: pass\nreturn 0.0, x",
    "a forged frame": "import os, json, struct\nh = json.dumps({{'tree': {{'d': [['value', {{'t': [0.0, 0.0]}}], ['error', None], ['args', {{'t': []}}], "
    "['changed', {{'t': []}}]]}}, 'arrays': []}}).encode()\nfor f in range(3, 64):\n    try: "
    "os.write(f, b'NLF1' + struct.pack('<I', len(h)) + h)\n    except OSError: pass\nreturn 0.0, "
    "x",
    "a frame that claims too much": "import os, struct\nfor f in range(3, 64):\n    try: os.write(f, b'NLF1' + struct.pack('<I', 2**31))\n"
    "    except OSError: pass\nwhile True: pass",
    "a frame that never ends": "import os, struct\nfor f in range(3, 64):\n    try: os.write(f, b'NLF1' + struct.pack('<I', 1000))\n"
    "    except OSError: pass\nwhile True: pass",
    "closing every pipe": "import os; os.closerange(3, 64); return 0.0, x",
    "pipes exchanged": "import os\nfor f in range(3, 32): os.dup2(1, f)\nreturn 0.0, x",
    "reading the requests ahead": "import os\nfor f in range(3, 8): os.read(f, 10**6)",
    "looking for answers in memory": "import gc\nfound = [o for o in gc.get_objects() if isinstance(o, dict) and ('expected' in o or 'answers' in o)]\n"
    "return (found[0]['answers'] if found else 0.0), x",
    "looking for answers in the frames": "import sys\nf = sys._getframe()\nwhile f: f.f_locals.update(verdict='right', fine=True, error=None); f = f.f_back\nreturn 0.0, x",
    "the house's own answer": "from normlab.layers import softmax_loss as s; return s(x, y)",
    "the assignment's own answer": "import cs682.layers as s; return s.softmax_loss(x, y)",
    "the house's answer by another path": "import sys; sys.meta_path[:] = [f for f in sys.meta_path if 'child' not in type(f).__module__]\n"
    "sys.path.append('{source}'); import normlab.layers as s; return s.softmax_loss(x, y)",
    "the house's answer as text": "exec(open('{source}/normlab/layers/losses.py').read(), g := {{}}); return g['softmax_loss'](x, y)",
    "reading a system file": "raise ValueError(open('/etc/passwd').read())",
    "reading a file of the grader": "raise ValueError(open('{canary}').read())",
    "reading the environment": "import os; raise ValueError(dict(os.environ))",
    "reading the grader's environment": "import os; raise ValueError(open('/proc/%d/environ' % os.getppid()).read())",
    "reading the grader's memory": "import os; raise ValueError(open('/proc/%d/mem' % os.getppid(), 'rb').read(10))",
    "reading a folder": "import os; raise ValueError(os.listdir('{folder}'))",
    "writing a file": "open('{canary}', 'w').write('gone'); return 0.0, x",
    "appending to a file": "open('{canary}', 'a').write('gone'); return 0.0, x",
    "deleting a file": "import os; os.remove('{canary}'); return 0.0, x",
    "renaming a file": "import os; os.rename('{canary}', '{canary}2'); return 0.0, x",
    "truncating a file": "import os; os.truncate('{canary}', 0); return 0.0, x",
    "changing a file's mode": "import os; os.chmod('{canary}', 0); return 0.0, x",
    "a link": "import os; os.symlink('{canary}', '{folder}/link'); return 0.0, x",
    "a new folder": "import os; os.mkdir('{folder}/new'); return 0.0, x",
    "a file in its own folder": "open(__file__ + '2', 'w').write('x'); return 0.0, x",
    "its own source": "open(__file__, 'w').write('x'); return 0.0, x",
    "shared memory": "open('/dev/shm/normlab-attack', 'w').write('x'); return 0.0, x",
    "a memory file": "import os; os.memfd_create('x'); return 0.0, x",
    "network": "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
    "a network server": "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()",
    "a local socket": "import socket; socket.socket(socket.AF_UNIX)",
    "a web page": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')",
    "killing the grader": "import os; os.kill(os.getppid(), 9)",
    "stopping the grader": "import os, signal; os.kill(os.getppid(), signal.SIGSTOP)",
    "killing everybody": "import os; os.kill(-1, 9)",
    "killing its group": "import os; os.killpg(0, 9)",
    "ignoring every signal": "import signal\nfor s in range(1, 32):\n    try: signal.signal(s, signal.SIG_IGN)\n    except OSError: pass\nwhile True: pass",
    "more memory for itself": "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))\nnp.ones(2**34).sum()",
    "tracing the grader": "import ctypes, os; assert ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0) == 0",
    "another namespace": "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "another root": "import os; os.chroot('/')",
    "leaving the sandbox by a system call": "import ctypes; assert ctypes.CDLL(None).syscall(425, 8, 0) >= 0",
    "patched NumPy": "np.abs = np.max = np.allclose = np.array_equal = lambda *a, **k: True\nnp.isfinite = lambda a: True\nreturn 0.0, x",
    "patched frames": "import sys\nm = sys.modules['child.framing']\nm.encode = lambda value: m.MARK\nreturn 0.0, x",
    "patched machine": "import sys\nsys.modules['child.machine'].Machine.answer = lambda self, request: None\nreturn 0.0, x",
    "patched Python": "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.len = lambda a: 0\nreturn 0.0, x",
    "a tracer": "import sys\nsys.settrace(lambda *a: (_ for _ in ()).throw(ValueError))\nreturn 0.0, x",
    "a destructor": "class D:\n    def __del__(self):\n        while True: pass\nD()\nreturn 0.0, x",
    "an owner for its pipe's signals": "import fcntl, os\nr, w = os.pipe()\nfcntl.fcntl(w, fcntl.F_SETOWN, os.getppid())\nfcntl.fcntl(w, 10, 9)\nfcntl.fcntl(w, fcntl.F_SETFL, fcntl.fcntl(w, fcntl.F_GETFL) | 0o20000)",
    "a lease on NumPy's files": "import fcntl\nfcntl.fcntl(open(np.__file__), 1024, 1)",
    "a lock on NumPy's files": "import fcntl\nfcntl.lockf(open(np.__file__), fcntl.LOCK_SH)",
    "an attribute of its file": "import fcntl\nfcntl.ioctl(open(__file__), 0x40086602, b'\\x10' + bytes(7))",
    "a frozen file system": "import fcntl\nfcntl.ioctl(open(__file__), 0xC0045877, 0)",
    "a key pressed on the terminal": "import fcntl\nfcntl.ioctl(0, 0x5412, b'x')",
    "truncating by reading": "import os; os.open(__file__, os.O_RDONLY | os.O_TRUNC)",
    "its own memory as a file": "open('/proc/self/mem', 'rb').read(1)",
    "its own descriptors": "import os; raise ValueError(os.listdir('/proc/self/fd'))",
    "other processes": "import os; raise ValueError(os.listdir('/proc'))",
    "the temporary folder": "import os; raise ValueError(os.listdir('/tmp'))",
    "a named pipe": "import os; os.mkfifo('{folder}/pipe')",
    "a timer's signals": "import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)\nwhile True: pass",
    "a profiler": "import sys\nsys.setprofile(lambda *a: 1 / 0)\nreturn 0.0, x",
    "an audit hook": "import sys\nsys.addaudithook(lambda *a: 1 / 0)\nopen(__file__)",
    "a collector's callback": "import gc\ngc.callbacks.append(lambda *a: 1 / 0)\ngc.collect()\nreturn 0.0, x",
    "no recursion left": "import sys\nsys.setrecursionlimit(30)\nreturn 0.0, x",
    "no modules left": "import sys\nsys.modules.clear()\nreturn 0.0, x",
    "a machine without insides": "import sys\nsys.modules['child.machine'].__dict__.clear()\nreturn 0.0, x",
    "a frame of another's verdict": "import os, json, struct\nh = json.dumps({{'tree': {{'d': [['verdict', 'right'], ['functions', {{'d': [['softmax_loss', 'right']]}}]]}}, 'arrays': []}}).encode()\n"
    "for f in range(3, 64):\n    try: os.write(f, b'NLF1' + struct.pack('<I', len(h)) + h)\n    "
    "except OSError: pass\nreturn 0.0, x",
    "an error that is none": "import os, json, struct\nh = json.dumps({{'tree': {{'d': [['value', None], ['error', {{'d': [['type', {{'l': []}}], ['message', None], ['line', 'x']]}}], ['args', 3], ['changed', 3]]}}, 'arrays': []}}).encode()\n"
    "for f in range(3, 64):\n    try: os.write(f, b'NLF1' + struct.pack('<I', len(h)) + h)\n    "
    "except OSError: pass\nreturn 0.0, x",
    "a name that acts on a terminal": "raise type('\\x1b]0;owned\\x07', (Exception,), {{}})('\\x1b[2J\\x9b31m')",
    "half a letter": "raise ValueError('\\ud800' * 100)",
    "ctypes on its own code": "import ctypes\nctypes.memset(id(dict.get), 0, 64)\nreturn 0.0, x",
    "an exit handler": "import atexit\natexit.register(lambda: open('{canary}', 'w'))\nraise SystemExit",
}

AT_IMPORT = {
    "endless loop": "while True: pass",
    "endless sleep": "import time; time.sleep(10**6)",
    "leaving": "import os; os._exit(0)",
    "memory": "a = [0]\nwhile True: a = a + a",
    "fork": "import os\nwhile os.fork() >= 0: pass",
    "a forged inventory": "import os, json, struct\nh = json.dumps({{'tree': {{'d': [['inventory', {{'d': []}}], ['notes', {{'l': []}}], ['held', {{'l': ['everything']}}]]}}, "
    "'arrays': []}}).encode()\nfor f in range(3, 64):\n    try: os.write(f, b'NLF1' + "
    "struct.pack('<I', len(h)) + h)\n    except OSError: pass",
    "garbage": "import os\nfor f in range(3, 64):\n    try: os.write(f, b'x' * 1000)\n    except OSError: pass",
    "writing a file": "open('{canary}', 'w').write('gone')",
    "the house's own answers": "from normlab.layers import *",
    "forged notes": "import os, json, struct\nnote = {{'d': [['kind', 'syntax'], ['file', '\\x1b[31m'], ['line', 1], ['text', '\\x1b]0;owned\\x07' * 10**4], ['function', 'relu_forward']]}}\n"
    "h = json.dumps({{'tree': {{'d': [['inventory', {{'d': []}}], ['notes', {{'l': [note] * "
    "500}}], ['read', {{'l': ['\\x1b' * 9999] * 999}}], ['passed_over', {{'l': []}}], "
    "['strangers', {{'l': []}}]]}}, 'arrays': []}}).encode()\nfor f in range(3, 64):\n    try: "
    "os.write(f, b'NLF1' + struct.pack('<I', len(h)) + h)\n    except OSError: pass",
    "a forged inventory of another kind": "import os, json, struct\nh = json.dumps({{'tree': {{'d': [['inventory', {{'l': []}}], ['notes', 3], ['read', None]]}}, 'arrays': []}}).encode()\n"
    "for f in range(3, 64):\n    try: os.write(f, b'NLF1' + struct.pack('<I', len(h)) + h)\n    "
    "except OSError: pass",
    "no import any more": "import builtins\nbuiltins.__import__ = lambda *a, **k: 1 / 0",
    "no pipes any more": "import os\nos.closerange(0, 64)",
    "names of the loader": "import sys\nfor name in list(sys.modules):\n    if name.startswith('child'): vars(sys.modules[name]).clear()",
    "patched loader": "import sys\nsys.modules['child.machine'].inventory = lambda *a: {{'relu_forward': 1}}",
    "a module of the grader's": "import sys\nsys.modules['json'] = sys.modules['struct'] = None",
}
