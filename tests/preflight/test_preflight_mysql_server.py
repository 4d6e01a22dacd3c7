"""`provision` and `preflight` against a real MySQL server with TLS, beside the MariaDB that stands for it elsewhere."""

from __future__ import annotations

import getpass
import importlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from convexctl.preflight import mysql as checks
from convexctl.preflight.check import Check, Status
from convexctl.preflight.mysql import check_mysql
from convexctl.preflight.provision import mysql_sql
from tests.support.certificates import Authority
from tests.support.processes import Processes, folder_that_goes, free_ports

FOLDER = "CONVEX_K8S_MYSQL"
"""The environment variable that names a folder with `mysqld`."""
PASSWORD = "p@ss/word"
QUOTED = "p%40ss%2Fword"
AUTHORITY = Authority()
CA = AUTHORITY.pem.decode()


@dataclass(frozen=True)
class Mysql:
    """A MySQL server that runs, with its administrator on a socket."""

    port: int
    socket: Path

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements as administrator and give the rows of the last one."""
        pymysql: Any = importlib.import_module("pymysql")
        connection = pymysql.connect(user="root", unix_socket=str(self.socket), client_flag=1 << 16, autocommit=True)
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                while cursor.nextset():
                    pass
            return list(cursor.fetchall())

    def url(self, user: str) -> str:
        return f"mysql://{user}:{QUOTED}@127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def server() -> Iterator[Mysql]:
    """A server that offers TLS under a certificate for 127.0.0.1, and takes 60 connections."""
    folder = os.environ.get(FOLDER)
    if not folder or not (Path(folder) / "mysqld").is_file():
        pytest.skip(f"{FOLDER} does not name a folder with mysqld, MySQL's own server")
    program, user = str(Path(folder) / "mysqld"), f"--user={getpass.getuser()}"
    with folder_that_goes("mysql") as place:
        data = f"--datadir={place / 'data'}"
        made = subprocess.run([program, "--initialize-insecure", user, data], capture_output=True, check=False)
        assert made.returncode == 0, made.stderr.decode()
        certificate, key = AUTHORITY.issue("127.0.0.1").write(place, "server")
        (port,) = free_ports(1)
        mysql = Mysql(port, place / "s")
        processes = Processes(place)
        options = [user, data, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={mysql.socket}"]
        options += [f"--pid-file={place / 'pid'}", f"--ssl-cert={certificate}", f"--ssl-key={key}"]
        options += ["--max-connections=60", "--innodb-buffer-pool-size=32M", "--skip-log-bin"]
        try:
            processes.start("mysqld", [program, *options])
            processes.wait_until(mysql.socket.exists, "MySQL's socket")
            yield mysql
        finally:
            processes.stop()


def provision(server: Mysql, instance: str, **options: Any) -> str:
    """Run what `provision` prints, with a password, and give the user's name."""
    user = instance.replace("-", "_")
    server.execute(mysql_sql(instance, **{"max_connections": 20, "require_ssl": True, **options}))
    server.execute(f"ALTER USER '{user}'@'%' IDENTIFIED BY '{PASSWORD}' ACCOUNT UNLOCK")
    return user


def check(server: Mysql, user: str, instance: str, **options: Any) -> dict[str, Check]:
    results = check_mysql(server.url(user), instance, **{"max_connections": 20, "ca_pem": CA, **options})
    assert PASSWORD not in repr(results)
    return {result.name: result for result in results}


def failures(results: dict[str, Check]) -> list[str]:
    return [f"{result.name}: {result.detail}" for result in results.values() if result.status is Status.FAILED]


def test_what_provision_prints_is_all_that_the_backend_needs(server: Mysql) -> None:
    results = check(server, provision(server, "shop-a"), "shop-a")
    assert failures(results) == []
    assert results[checks.TLS].detail == "verified for 127.0.0.1"
    assert results[checks.SERVER].status is Status.OK
    assert results[checks.DATABASE].detail == "shop_a"


def test_its_user_may_do_what_the_backend_does(server: Mysql) -> None:
    """Tables are made, and read with FOR SHARE, which MariaDB does not know."""
    user = provision(server, "shop-b")
    pymysql: Any = importlib.import_module("pymysql")
    ssl = {"ca": None, "check_hostname": False}
    connection = pymysql.connect(host="127.0.0.1", port=server.port, user=user, password=PASSWORD, ssl=ssl)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE shop_b.documents (id INT PRIMARY KEY)")
        cursor.execute("INSERT INTO shop_b.documents VALUES (1)")
        cursor.execute("SELECT id FROM shop_b.documents FOR SHARE")
        assert cursor.fetchall() == ((1,),)
        cursor.execute("DROP TABLE shop_b.documents")
        with pytest.raises(pymysql.err.MySQLError):
            cursor.execute("CREATE DATABASE somebody_elses")


def test_more_connections_than_the_server_takes(server: Mysql) -> None:
    results = check(server, provision(server, "shop-c", max_connections=200), "shop-c", max_connections=200)
    (failure,) = failures(results)
    assert failure.startswith(f"{checks.CONNECTIONS}: ")
    assert "60" in failure


def test_more_connections_than_its_user_may_have(server: Mysql) -> None:
    user = provision(server, "shop-d")
    server.execute(f"ALTER USER '{user}'@'%' WITH MAX_USER_CONNECTIONS 5")
    (failure,) = failures(check(server, user, "shop-d"))
    assert failure.startswith(f"{checks.CONNECTIONS}: ")
    assert "5" in failure


def test_an_authority_that_the_overlay_does_not_know(server: Mysql) -> None:
    results = check(server, provision(server, "shop-f"), "shop-f", ca_pem="")
    assert failures(results) == ["mysql tls: the server's certificate comes from an unknown authority"]
