"""Measures the running program beside pgbench, round after round, and prints medians and ratios."""

import contextlib
import glob
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
GO_PEER = os.path.join(os.path.dirname(ROOT), "shared", "bench", "peers", "go")
GO_DRIVER = "/usr/share/gocode/src/github.com/jackc/pgx"
PORT, GO_PORT, START_PORT = 18080, 18098, 18081
BASE = f"http://127.0.0.1:{PORT}"
IDLE_CONNECTIONS = 5000

# (name, what is promised, whether a greater figure is the better one)
PROMISES = (
    ("POST at 64 connections / pgbench with 16 clients", 1.75, True),
    ("POST at 64 connections / Go peer", 2.5, True),
    ("p99 at 64 connections, ms", 10, False),
    ("latency of one connection / pgbench with one client", 1.3, False),
    ("drain / burst, submissions per second", 1.0, True),
    ("resident under load, MiB", 48, False),
    (f"resident with {IDLE_CONNECTIONS} idle connections, MiB", 160, False),
    ("start to ready, ms", 200, False),
)


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.read().decode()
    except (urllib.error.URLError, ConnectionError):
        return None


def wait_for(probe, seconds, what):
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            sys.exit(f"not within {seconds} s: {what}")
        time.sleep(0.02)


def psql(dsn, *arguments):
    return subprocess.run(["psql", dsn, "-XqAt", *arguments], check=True, capture_output=True,
                          text=True).stdout.strip()


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def wrk(url, connections, seconds, script, *arguments):
    """wrk's requests per second, p50 and p99 in milliseconds; ends when one was refused."""
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s",
                           os.path.join(HERE, script), url, "--", *arguments], check=True,
                          capture_output=True, text=True).stdout
    if "Non-2xx" in done or "Socket errors" in done:
        sys.exit(done)
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", done).group(1)),
            milliseconds(re.search(r"^\s+50%\s+(\S+)", done, re.MULTILINE).group(1)),
            milliseconds(re.search(r"^\s+99%\s+(\S+)", done, re.MULTILINE).group(1)))


def post(base, connections, seconds):
    return wrk(base + "/", connections, seconds, "post.lua")


def pgbench(dsn, clients, seconds, script="upserts.pgbench", *arguments):
    """Transactions per second and their latency in milliseconds."""
    done = subprocess.run(["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "1", "-T",
                           str(seconds), "-f", os.path.join(HERE, script), *arguments,
                           dsn + " options='-c search_path=peer'"], check=True,
                          capture_output=True, text=True).stdout
    return (float(re.search(r"^tps = ([\d.]+)", done, re.MULTILINE).group(1)),
            float(re.search(r"latency average = ([\d.]+)", done).group(1)))


def pgbench_paced(dsn, rate, seconds, clients=16):
    """p99 in milliseconds of pgbench's transactions at that rate, each from the time at which it was due."""
    with tempfile.TemporaryDirectory(prefix="intake-pgbench-") as directory:
        prefix = os.path.join(directory, "log")
        pgbench(dsn, clients, seconds, "upserts.pgbench", "-R", str(rate), "-l", f"--log-prefix={prefix}")
        with open(glob.glob(prefix + ".*")[0], encoding="ascii") as file:
            latencies = [int(line.split()[2]) / 1000 for line in file]
    return statistics.quantiles(latencies, n=100)[98]


def paced(port, rate, seconds, key, connections=64):
    """Posts at that rate, whatever comes back; {"sent", "acknowledged", "refused", "p50", "p99", "max"}."""
    done = subprocess.run([os.path.join(ROOT, "build", "tests", "bench", "pace"), str(port), str(rate),
                           str(seconds), str(connections), key], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr)
    words = done.stdout.split()
    return {name: float(value) for name, value in zip(words[::2], words[1::2])}


def resident_mib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024


def unprocessed(dsn):
    return int(psql(dsn, "-c", "SELECT count(*) FROM medical_questionnaire_submissions"
                               " WHERE status = 'submitted'"))


def processed():
    """How many the worker has dealt with; asked of the program, for counting rows would slow it."""
    return int(re.search(r'^intake_worker_submissions_total\{outcome="processed"\} (\d+)$',
                         fetch(BASE + "/metrics"), re.MULTILINE).group(1))


def drain(dsn):
    """Waits until the worker has caught up; submissions left at first, and seconds."""
    done, left, started = processed(), unprocessed(dsn), time.monotonic()
    wait_for(lambda: processed() >= done + left, 600, "everything processed")
    return left, time.monotonic() - started


def idle_connections(count):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit[1], count + 200), limit[1]))
    held = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", PORT), 10)
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: bench\r\n\r\n")
        held.append(connection)
    for connection in held:
        if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
            sys.exit("an idle connection was refused")
    return held


def start_to_ready(data, work):
    """Milliseconds from the start of another instance to its word that it serves."""
    path = os.path.join(work, "notify")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(30)
        environment = {**os.environ, "NOTIFY_SOCKET": path, "INTAKE_HTTP_PORT": str(START_PORT)}
        started = time.monotonic()
        process = subprocess.Popen(["build/intake", "serve", "--config", f"{data}/intake.conf"],
                                   cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        while b"READY=1" not in notify.recv(4096):
            pass
        taken = (time.monotonic() - started) * 1000
        process.terminate()
        process.wait()
        return taken


def start_go_peer(dsn, work):
    """The Go peer's process, or None where it cannot be built."""
    if not (shutil.which("go") and os.path.isdir(GO_PEER) and os.path.isdir(GO_DRIVER)):
        return None
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
                   "GOCACHE": os.path.join(work, "gocache"), "PEER_PORT": str(GO_PORT),
                   "PEER_DSN": f"{dsn} search_path=peer pool_max_conns=16"}
    binary = os.path.join(work, "peer-go")
    subprocess.run(["go", "build", "-o", binary, "."], cwd=GO_PEER, env=environment, check=True)
    process = subprocess.Popen([binary], env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    wait_for(lambda: socket.socket().connect_ex(("127.0.0.1", GO_PORT)) == 0, 30, "the Go peer")
    return process


def measure_round(dsn, go_peer, seconds, figures):
    def note(name, value):
        figures.setdefault(name, []).append(value)
        print(f"  {name}: {value:.2f}", flush=True)

    rate, p50, p99 = post(BASE, 64, seconds)
    note("POST at 64 connections, per second", rate)
    note("p50 at 64 connections, ms", p50)
    note("p99 at 64 connections, ms", p99)
    pid = int(open(os.path.join(figures["data"], "intake.pid"), encoding="ascii").read())
    note("resident under load, MiB", resident_mib(pid))
    left, took = drain(dsn)
    note("submissions unprocessed after the burst", left)
    note("drain / burst, submissions per second", left / took / rate if left > rate / 10 else 99)
    single = post(BASE, 1, seconds)[0]
    note("POST at one connection, per second", single)
    drain(dsn)
    many, _ = pgbench(dsn, 16, seconds)
    note("pgbench with 16 clients, per second", many)
    alone, _ = pgbench(dsn, 1, seconds)
    note("pgbench with one client, per second", alone)
    note("POST at 64 connections / pgbench with 16 clients", rate / many)
    note("latency of one connection / pgbench with one client", alone / single)
    if go_peer:
        go = post(f"http://127.0.0.1:{GO_PORT}", 64, seconds)[0]
        note("Go peer at 64 connections, per second", go)
        note("POST at 64 connections / Go peer", rate / go)


def quickstart(work, running):
    """Starts the program as a newcomer does, appends the process; where its data lie, and the database."""
    data = os.path.join(work, "data")
    environment = {**os.environ, "INTAKE_DATA": data, "INTAKE_HTTP_PORT": str(PORT)}
    with open(os.path.join(work, "quickstart.log"), "wb") as log:
        running.append(subprocess.Popen(["./quickstart"], cwd=ROOT, env=environment, stdout=log,
                                        stderr=log))
    wait_for(lambda: running[0].poll() is not None or fetch(BASE + "/health/ready"), 600, "ready")
    with open(os.path.join(data, "dsn"), encoding="ascii") as file:
        dsn = file.read().strip()
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        if psql(dsn, "-c", f"SHOW {setting}") != "on":
            sys.exit(f"{setting} is off: not a fair run")
    return data, dsn


def end(running):
    for process in reversed(running):
        process.send_signal(signal.SIGTERM)
        process.wait()


def measure(work, rounds, seconds, running):
    data, dsn = quickstart(work, running)
    psql(dsn, "-f", os.path.join(HERE, "schema.sql"))
    go_peer = start_go_peer(dsn, work)
    if go_peer:
        running.append(go_peer)
    figures = {"data": data}
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", flush=True)
        measure_round(dsn, go_peer, seconds, figures)
    with open(os.path.join(data, "intake.pid"), encoding="ascii") as file:
        pid = int(file.read())
    held = idle_connections(IDLE_CONNECTIONS)
    figures[f"resident with {IDLE_CONNECTIONS} idle connections, MiB"] = [resident_mib(pid)]
    for connection in held:
        connection.close()
    figures["start to ready, ms"] = [start_to_ready(data, work) for _ in range(5)]
    del figures["data"]
    return {name: statistics.median(values) for name, values in figures.items()}


def report(figures):
    promised = {name: (bound, greater) for name, bound, greater in PROMISES}
    print("\n| figure | measured | promised |\n| --- | --- | --- |")
    kept = True
    for name, value in figures.items():
        bound = ""
        if name in promised:
            limit, greater = promised[name]
            fits = value >= limit if greater else value <= limit
            kept = kept and fits
            bound = f"{'at least' if greater else 'at most'} {limit}{'' if fits else ' (MISSED)'}"
        print(f"| {name} | {value:,.2f} | {bound} |")
    return 0 if kept else 1


def main():
    rounds, seconds = (int(value) for value in (sys.argv[1:] + ["3", "8"][len(sys.argv) - 1:])[:2])
    running = []
    work = tempfile.mkdtemp(prefix="intake-bench-", dir="/tmp")
    os.chmod(work, 0o711)
    try:
        figures = measure(work, rounds, seconds, running)
    finally:
        end(running)
        shutil.rmtree(work, ignore_errors=True)
    sys.exit(report(figures))


if __name__ == "__main__":
    main()
