"""Real servers for tests: PostgreSQL, MariaDB and S3, started on a free port of the loopback and gone after the test.

A test that needs one skips, and says which package brings it, where its programs are not installed.
"""

from __future__ import annotations

import importlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.support.certificates import Certificate
from tests.support.processes import folder_that_goes, free_ports, wait_until


@dataclass(frozen=True)
class Server:
    """A database server that runs. Its administrator comes in through the socket's folder, without a password."""

    port: int
    folder: Path
    """Where its socket lies."""
    administrator: str
    log: Path
    client: str
    """The server's own command-line client."""
    host: str = "127.0.0.1"


class PostgresServer(Server):
    """PostgreSQL."""

    def psql(
        self, *arguments: str, user: str | None = None, database: str = "postgres", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run psql without a terminal, so that what it asks for is read from `stdin`."""
        target = f"host={self.folder} port={self.port} user={user or self.administrator} dbname={database}"
        return _run([self.client, "--no-psqlrc", "--dbname", target, *arguments], stdin)

    def execute(self, *statements: str, user: str | None = None, database: str = "postgres") -> None:
        """Run statements, each by itself, and fail where one fails."""
        commands = [argument for statement in statements for argument in ("--command", statement)]
        done = self.psql("--quiet", "--set", "ON_ERROR_STOP=1", *commands, user=user, database=database)
        assert done.returncode == 0, done.stderr


class MariadbServer(Server):
    """MariaDB."""

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a script with the command-line client as administrator."""
        socket_file = self.folder / "socket"
        return _run(
            [self.client, "--no-defaults", "--socket", str(socket_file), "--user", self.administrator, *arguments],
            script,
        )

    def execute(self, script: str) -> None:
        """Run a script as administrator and fail where it fails."""
        done = self.run(script)
        assert done.returncode == 0, done.stderr


@contextmanager
def postgres_server(*, certificate: Certificate | None = None, max_connections: int = 50) -> Iterator[PostgresServer]:
    """Run a PostgreSQL server, with TLS where it gets a certificate. Passwords are asked for on TCP only."""
    initdb, postgres, psql = _postgres_programs()
    with _folder("postgres") as folder:
        data, log = folder / "data", folder / "log"
        _set_up(
            "postgres",
            folder,
            [initdb, "--pgdata", data, "--username", "postgres", "--auth", "trust", "--no-sync", "--encoding", "UTF8"],
        )
        (data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        options = [f"listen_addresses={Server.host}", f"unix_socket_directories={folder}", "fsync=off"]
        options += [f"max_connections={max_connections}"]
        if certificate:
            paths = certificate.write(folder, "server")
            for path in paths:
                _give(path, "postgres")
            options += ["ssl=on", f"ssl_cert_file={paths[0]}", f"ssl_key_file={paths[1]}"]
        (port,) = free_ports(1)
        command = [postgres, "-D", data, "-p", port, *(part for option in options for part in ("-c", option))]
        server = PostgresServer(port, folder, "postgres", log, str(psql))
        with _running(
            "postgres", server, command, lambda: server.psql("--command", "select 1").returncode == 0, signal.SIGQUIT
        ):
            yield server


@contextmanager
def mariadb_server(*, certificate: Certificate | None = None, max_connections: int = 50) -> Iterator[MariadbServer]:
    """Run a MariaDB server, with TLS where it gets a certificate."""
    install, mariadbd, client = (_program(name) for name in ("mariadb-install-db", "mariadbd", "mariadb"))
    if not (install and mariadbd and client):
        pytest.skip("MariaDB's server is not installed (Debian: mariadb-server)")
    with _folder("mysql") as folder:
        data, log = folder / "data", folder / "log"
        _set_up(
            "mysql",
            folder,
            [
                install,
                "--no-defaults",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
        )
        options = [f"--datadir={data}", f"--socket={folder / 'socket'}", f"--bind-address={Server.host}"]
        options += [f"--max-connections={max_connections}", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve"]
        options += [f"--pid-file={folder / 'pid'}", "--innodb-buffer-pool-size=32M"]
        if certificate:
            paths = certificate.write(folder, "server")
            for path in paths:
                _give(path, "mysql")
            options += [f"--ssl-cert={paths[0]}", f"--ssl-key={paths[1]}"]
        else:
            options += ["--skip-ssl"]
        (port,) = free_ports(1)
        server = MariadbServer(port, folder, "root", log, client)
        command = [mariadbd, "--no-defaults", f"--port={port}", *options]
        with _running("mysql", server, command, lambda: server.run("select 1").returncode == 0, signal.SIGKILL):
            yield server


@dataclass(frozen=True)
class S3Server:
    """moto's S3 server. It keeps everything in memory and takes any keys, unless `enforce_policies` is used."""

    endpoint: str

    def reset(self) -> None:
        """Throw away everything that it holds."""
        with urlopen(Request(f"{self.endpoint}/moto-api/reset", method="POST")):
            return

    @contextmanager
    def enforce_policies(self) -> Iterator[None]:
        """Answer from here on only to users that IAM (of the same server) knows and allows what they ask for."""
        statement: Any = importlib.import_module("moto.iam.access_control").IAMPolicyStatement
        settings: Any = importlib.import_module("moto.settings")
        known, unlimited = statement._match, settings.INITIAL_NO_AUTH_ACTION_COUNT
        # moto knows `*`, and IAM also has `?`.
        statement._match = staticmethod(lambda pattern, text: known(pattern.replace("?", "."), text))
        settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        try:
            yield
        finally:
            settings.INITIAL_NO_AUTH_ACTION_COUNT = unlimited
            statement._match = staticmethod(known)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """Run moto's server, with nothing in it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(Server.host, 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    made = S3Server(f"http://{host}:{port}")
    made.reset()  # servers of one process share what they hold
    yield made
    server.stop()


def _postgres_programs() -> tuple[str, str, str]:
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    for folder in [*newest, None]:
        found = [shutil.which(name, path=folder and str(folder)) for name in ("initdb", "postgres", "psql")]
        if all(found):
            return str(found[0]), str(found[1]), str(found[2])
    pytest.skip("PostgreSQL's server is not installed (Debian: postgresql)")


def _program(name: str) -> str:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin") or ""


@contextmanager
def _folder(owner: str) -> Iterator[Path]:
    """A folder that the server's own user can reach, which pytest's, being root's alone, are not."""
    with folder_that_goes(owner) as folder:
        folder.chmod(0o755)
        _give(folder, owner)
        yield folder


def _account(name: str) -> pwd.struct_passwd | None:
    """The account that a server runs as: its own where we are root, which servers refuse to be; else ours."""
    return pwd.getpwnam(name) if os.geteuid() == 0 else None


def _give(path: Path, owner: str) -> None:
    if account := _account(owner):
        os.chown(path, account.pw_uid, account.pw_gid)


def _process_options(owner: str, folder: Path) -> dict[str, Any]:
    account = _account(owner)
    user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    # Each keeps to its folder: MariaDB's first steps, of two at once, meet in a shared folder for temporary files.
    return {"cwd": folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C", "TMPDIR": str(folder)}, **user}


def _set_up(owner: str, folder: Path, command: Sequence[object]) -> None:
    arguments, options = [str(part) for part in command], _process_options(owner, folder)
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"


@contextmanager
def _running(
    owner: str, server: Server, command: Sequence[object], answers: Callable[[], bool], stop: signal.Signals
) -> Iterator[None]:
    arguments, options = [str(part) for part in command], _process_options(owner, server.folder)
    with server.log.open("wb") as output:
        process = subprocess.Popen([*_ends_with_us(), *arguments], stdout=output, stderr=output, **options)

    def there() -> bool:
        assert process.poll() is None, f"the server ended:\n{server.log.read_text()}"
        return answers()

    try:
        wait_until(there, "the server")
        yield
    finally:
        process.send_signal(stop)
        process.wait()


def _ends_with_us() -> list[str]:
    """What has Linux end a server when the test's own process is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _run(command: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "HOME": "/nonexistent"}
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, env=environment, start_new_session=True, check=False
    )
