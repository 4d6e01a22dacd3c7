"""Which database the backend opens, under which name and with which TLS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.convex_manifests import (
    POSTGRES,
    backend,
    claim_template,
    config_map,
    mounted,
    only_backend,
    secret_variable,
    variables,
)

URL = "postgres://user:password@db:5432"
MYSQL = "mysql://user:password@db:3306"


@pytest.mark.parametrize(
    ("env", "engine", "source"),
    [
        ({}, "sqlite", "env"),
        ({"POSTGRES_URL": ""}, "sqlite", "env[POSTGRES_URL]"),
        ({"POSTGRES_URL": URL}, "postgres", "env[POSTGRES_URL]"),
        ({"MYSQL_URL": MYSQL}, "mysql", "env[MYSQL_URL]"),
        ({"MYSQL_URL": MYSQL, "POSTGRES_URL": URL}, "postgres", "env[POSTGRES_URL]"),
        ({"MYSQL_URL": MYSQL, "POSTGRES_URL": ""}, "mysql", "env[MYSQL_URL]"),
        ({"DATABASE_URL": URL}, "postgres", "env[DATABASE_URL]"),
        ({"DATABASE_URL": URL, "MYSQL_URL": MYSQL}, "mysql", "env[MYSQL_URL]"),
    ],
    ids=str,
)
def test_the_first_url_that_has_a_value_decides(env: dict[str, str], engine: str, source: str) -> None:
    decision = only_backend(backend(env)).engine
    assert decision.value == engine
    assert decision.source.field == f"spec.template.spec.containers[0].{source}"


def test_the_deprecated_url_says_so() -> None:
    assert "deprecated" in only_backend(backend({"DATABASE_URL": URL})).engine.why


@pytest.mark.parametrize(
    ("env", "value"),
    [
        pytest.param([POSTGRES], "Secret/db[URL]", id="from a Secret"),
        pytest.param(variables({"POSTGRES_URL": URL}), "postgres://db:5432", id="in the manifest"),
        pytest.param(
            [secret_variable("PW", "db", "PW"), *variables({"POSTGRES_URL": "postgres://u:$(PW)@db"})],
            "Secret/db[PW], postgres://db",
            id="put together from a Secret",
        ),
    ],
)
def test_where_the_url_comes_from_is_told_without_user_and_password(env: list[dict[str, Any]], value: str) -> None:
    model = only_backend(backend(env))
    assert model.database_url is not None
    assert model.database_url.value == value
    assert "password" not in repr(model)


SECRET = "Sup3r-S3cret"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://convex:{SECRET}#xx@db.example.com:5432",
        f"postgresql://convex:{SECRET}?xx@db.example.com:5432",
        f"postgresql://convex:{SECRET}/xx@db.example.com:5432",
        f"postgresql://convex:p@{SECRET}/Tail@db.example.com:5432",
        f"postgresql://convex:p@{SECRET}?a@db.example.com:5432",
        f"postgresql://convex:{SECRET}",
        f"postgresql://{SECRET}",
        f"postgresql://{SECRET}/x",
        f"convex:{SECRET}@db.example.com",
        f"postgresql://convex:{SECRET}@db.example.com?sslmode=$(MODE)",
    ],
)
def test_no_piece_of_a_password_is_told_whatever_stands_in_it_unescaped(url: str) -> None:
    hidden = secret_variable("MODE", "db", "MODE")
    container = {"envFrom": [{"secretRef": {"name": "more"}}]}
    env = [hidden, *variables({"POSTGRES_URL": url, "DO_NOT_REQUIRE_SSL": "1"})]
    model = only_backend(backend(env, container=container))
    assert SECRET not in repr(model)


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("postgresql://convex:p@ss@db.example.com:5432", "postgresql://db.example.com:5432"),
        ("postgresql://convex:x@[2001:db8::1]:5432/", "postgresql://[2001:db8::1]:5432"),
        ("postgresql://convex:x@db,other", "literal"),
    ],
)
def test_a_server_is_named_where_nothing_else_can_be_meant(url: str, value: str) -> None:
    decision = only_backend(backend({"POSTGRES_URL": url})).database_url
    assert decision is not None
    assert decision.value == value


def test_a_url_from_a_configmap_is_told_by_its_key() -> None:
    container = {"envFrom": [{"configMapRef": {"name": "c"}}]}
    model = only_backend(backend(container=container), config_map("c", {"POSTGRES_URL": URL}))
    assert model.database_url is not None
    assert model.database_url.value == "ConfigMap/c[POSTGRES_URL]"


class TestName:
    @pytest.mark.parametrize(
        ("env", "name"),
        [
            ([POSTGRES], "convex_self_hosted"),
            ([POSTGRES, *variables({"INSTANCE_NAME": "my-shop"})], "my_shop"),
            ([POSTGRES, *variables({"INSTANCE_NAME": "my_shop"})], "my_shop"),
            ([POSTGRES, *variables({"INSTANCE_NAME": ""})], "convex_self_hosted"),
        ],
    )
    def test_it_is_the_instance_name_with_underscores(self, env: list[dict[str, Any]], name: str) -> None:
        decision = only_backend(backend(env)).database_name
        assert decision is not None
        assert (decision.value, decision.text) == (name, name)

    def test_from_a_secret_it_is_not_known(self) -> None:
        decision = only_backend(backend([POSTGRES, secret_variable("INSTANCE_NAME", "db", "NAME")])).database_name
        assert decision is not None
        assert decision.value == "Secret/db[NAME]"
        assert decision.text == "the value of Secret/db[NAME], with _ in place of every -"

    def test_sqlite_has_none(self) -> None:
        assert only_backend(backend()).database_name is None


class TestTls:
    @pytest.mark.parametrize("value", ["false", "true", "0", "no", " "])
    def test_any_value_switches_the_requirement_off(self, value: str) -> None:
        decision = only_backend(backend({"POSTGRES_URL": URL, "DO_NOT_REQUIRE_SSL": value})).database_tls
        assert decision is not None
        assert decision.value == "preferred"
        assert decision.certain
        assert f'is "{value}"' in decision.why
        assert decision.source.field.endswith("env[DO_NOT_REQUIRE_SSL]")

    @pytest.mark.parametrize("env", [{}, {"DO_NOT_REQUIRE_SSL": ""}])
    def test_without_a_value_it_is_required(self, env: dict[str, str]) -> None:
        decision = only_backend(backend({"POSTGRES_URL": f"{URL}?sslmode=disable", **env})).database_tls
        assert decision is not None
        assert decision.value == "required"

    def test_the_option_of_the_server_does_the_same(self) -> None:
        container = {"args": ["--do-not-require-ssl"]}
        decision = only_backend(backend({"POSTGRES_URL": URL}, container=container)).database_tls
        assert decision is not None
        assert decision.value == "preferred"

    @pytest.mark.parametrize(("mode", "tls"), [("disable", "off"), ("require", "required"), ("prefer", "preferred")])
    def test_with_the_variable_the_url_decides(self, mode: str, tls: str) -> None:
        env = {"POSTGRES_URL": f"{URL}?connect_timeout=5&sslmode={mode}", "DO_NOT_REQUIRE_SSL": "1"}
        decision = only_backend(backend(env)).database_tls
        assert decision is not None
        assert decision.value == tls

    def test_a_url_out_of_sight_may_decide_otherwise(self) -> None:
        decision = only_backend(backend([POSTGRES, *variables({"DO_NOT_REQUIRE_SSL": "1"})])).database_tls
        assert decision is not None
        assert decision.value == "preferred"
        assert decision.unless == "the URL in Secret/db[URL] has another sslmode"

    @pytest.mark.parametrize(
        ("env", "tls"),
        [
            ({}, "required"),
            ({"DO_NOT_REQUIRE_SSL": "false"}, "off"),
            ({"DO_NOT_REQUIRE_SSL": "false", "MYSQL_CA_FILE": "/ca/ca.crt"}, "required"),
        ],
    )
    def test_mysql_is_plain_text_with_the_variable_unless_a_ca_is_given(self, env: dict[str, str], tls: str) -> None:
        decision = only_backend(backend({"MYSQL_URL": MYSQL, **env})).database_tls
        assert decision is not None
        assert decision.value == tls

    def test_sqlite_has_none(self) -> None:
        assert only_backend(backend({"DO_NOT_REQUIRE_SSL": "true"})).database_tls is None


class TestCaFile:
    ENV = variables({"POSTGRES_URL": URL, "PG_CA_FILE": "/ca/ca.crt"})

    @pytest.mark.parametrize(
        ("volume", "text"),
        [
            ({"secret": {"secretName": "ca"}}, "/ca/ca.crt, from Secret/ca[ca.crt]"),
            (
                {"secret": {"secretName": "ca", "items": [{"key": "root.pem", "path": "ca.crt"}]}},
                "/ca/ca.crt, from Secret/ca[root.pem]",
            ),
            ({"configMap": {"name": "ca"}}, "/ca/ca.crt, from ConfigMap/ca[ca.crt]"),
            ({"csi": {"driver": "x"}}, "/ca/ca.crt, from csi"),
        ],
    )
    def test_the_file_is_followed_to_its_volume(self, volume: dict[str, Any], text: str) -> None:
        model = only_backend(
            backend(self.ENV, container=mounted("/ca", "ca"), pod={"volumes": [{"name": "ca", **volume}]})
        )
        assert model.database_ca is not None
        assert model.database_ca.text == text
        assert model.obstacles == ()

    def test_a_single_file_mounted_by_its_key(self) -> None:
        volumes = [{"name": "ca", "secret": {"secretName": "ca"}}]
        mount = mounted("/ca/ca.crt", "ca", subPath="root.pem")
        model = only_backend(backend(self.ENV, container=mount, pod={"volumes": volumes}))
        assert model.database_ca is not None
        assert model.database_ca.text == "/ca/ca.crt, from Secret/ca[root.pem]"

    @pytest.mark.parametrize(
        ("container", "volume"),
        [
            pytest.param({}, {"secret": {"secretName": "ca"}}, id="not mounted"),
            pytest.param(mounted("/elsewhere", "ca"), {"secret": {"secretName": "ca"}}, id="mounted elsewhere"),
            pytest.param(
                mounted("/ca", "ca"),
                {"secret": {"secretName": "ca", "items": [{"key": "a", "path": "b"}]}},
                id="another file",
            ),
            pytest.param(mounted("/ca", "ca"), {"configMap": {"name": "empty"}}, id="a ConfigMap without the key"),
        ],
    )
    def test_a_file_that_is_not_there_stops_the_backend(
        self, container: dict[str, Any], volume: dict[str, Any]
    ) -> None:
        pod = {"volumes": [{"name": "ca", **volume}]}
        (obstacle,) = only_backend(backend(self.ENV, container=container, pod=pod), config_map("empty", {})).obstacles
        assert obstacle.text == "PG_CA_FILE names /ca/ca.crt, and no file is there"

    @pytest.mark.parametrize(
        ("path", "optional", "text", "unless", "obstacles"),
        [
            ("/ca/ca.crt", True, "/ca/ca.crt, from Secret/ca[ca.crt]", "Secret/ca has no key ca.crt", 0),
            ("/ca/ca.crt", False, "/ca/ca.crt, from Secret/ca[ca.crt]", "", 0),
            ("/ca", False, "/ca, from nowhere", "", 1),
            ("/etc/ssl/certs/ca-certificates.crt", False, "/etc/ssl/certs/ca-certificates.crt, from the image", "", 0),
            ("/etc/other.crt", False, "/etc/other.crt, from nowhere", "", 1),
        ],
    )
    def test_what_may_be_missing(self, path: str, optional: bool, text: str, unless: str, obstacles: int) -> None:
        secret = {"secretName": "ca", **({"optional": True} if optional else {})}
        pod = {"volumes": [{"name": "ca", "secret": secret}]}
        env = {"POSTGRES_URL": URL, "PG_CA_FILE": path}
        model = only_backend(backend(env, container=mounted("/ca", "ca"), pod=pod))
        assert model.database_ca is not None
        assert (model.database_ca.text, model.database_ca.unless) == (text, unless)
        assert len(model.obstacles) == obstacles


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (
            ["./convex-local-backend", "--instance-name", "x", "--instance-secret", "s3cret", "postgres://u:s3cret@h"],
            None,
        ),
        (["./run_backend.sh", "--instance-name=x"], {"instance_name", "database_name"}),
        (["./run_backend.sh", "--instance-secret=s3cret"], {"instance_secret", "secret_stable"}),
        (["./run_backend.sh", "--disable-beacon"], set()),
    ],
)
def test_what_arguments_may_say_is_uncertain_and_never_shown(command: list[str], names: set[str] | None) -> None:
    model = only_backend(backend([POSTGRES], container={"command": command}))
    uncertain = {row.name for row in model.rows() if row.decision.unless == "the pod's arguments decide otherwise"}
    everything = {"instance_name", "instance_secret", "secret_stable", "engine"}
    everything |= {"database_url", "database_name", "database_outlives"}
    assert uncertain == (everything if names is None else names)
    assert "s3cret" not in repr(model)


class TestUrlsThatTheBackendRefuses:
    @pytest.mark.parametrize(
        ("name", "url", "texts"),
        [
            ("POSTGRES_URL", "postgres://u:p@db", []),
            ("POSTGRES_URL", "postgres://u:p@db/", []),
            ("POSTGRES_URL", "postgres://u:p@db?sslmode=disable", []),
            ("POSTGRES_URL", "postgres://u:p@db/convex", ["POSTGRES_URL has a database name in it"]),
            ("DATABASE_URL", "postgres://u:p@db/convex?x=1", ["DATABASE_URL has a database name in it"]),
            ("POSTGRES_URL", "postgres://:p@db", ["POSTGRES_URL has no user"]),
            ("POSTGRES_URL", "postgres://db", ["POSTGRES_URL has no user"]),
            ("POSTGRES_URL", "db:5432", ["POSTGRES_URL is not a URL"]),
            ("POSTGRES_URL", "postgres://db?user=u", ["POSTGRES_URL has no user"]),
            ("POSTGRES_URL", "postgres://u:p@db?application_name=a@b", []),
            ("POSTGRES_URL", "postgres://u@/?host=db", []),
            ("POSTGRES_URL", "postgres://u@", ["POSTGRES_URL has no host"]),
            ("POSTGRES_URL", "postgres://u@:5432", ["POSTGRES_URL has no host"]),
            ("POSTGRES_URL", "mysql://u@db", ["POSTGRES_URL does not begin with postgres:// or postgresql://"]),
            ("POSTGRES_URL", "http://u@db", ["POSTGRES_URL does not begin with postgres:// or postgresql://"]),
            ("DATABASE_URL", "mysql://u@db", ["DATABASE_URL does not begin with postgres:// or postgresql://"]),
            ("MYSQL_URL", "postgres://u@db", ["MYSQL_URL does not begin with mysql://"]),
            ("POSTGRES_URL", "postgres://u:p#x@db", ["POSTGRES_URL has an unescaped /, ? or # before an @"]),
            ("POSTGRES_URL", "postgres://u:p@x/y@db", ["POSTGRES_URL has an unescaped /, ? or # before an @"]),
            ("MYSQL_URL", "mysql://u@?host=db", ["MYSQL_URL has no host"]),
            ("MYSQL_URL", "mysql://u:p@db/convex", []),
            ("MYSQL_URL", "mysql://db/convex", ["MYSQL_URL has no user"]),
        ],
    )
    def test_in_sight(self, name: str, url: str, texts: list[str]) -> None:
        assert [obstacle.text for obstacle in only_backend(backend({name: url})).obstacles] == texts

    def test_a_database_name_is_seen_beside_a_hidden_password(self) -> None:
        env = [secret_variable("PW", "db", "PW"), *variables({"POSTGRES_URL": "postgres://u:$(PW)@db/convex"})]
        assert [obstacle.text for obstacle in only_backend(backend(env)).obstacles] == [
            "POSTGRES_URL has a database name in it"
        ]


CLUSTER = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "pg"}, "spec": {}}


@pytest.mark.parametrize(
    ("entry", "outlives", "values"),
    [
        (secret_variable("POSTGRES_URL", "pg-app", "uri"), "pod", ["database in URL", "unknown CA", "no database"]),
        (secret_variable("DATABASE_URL", "pg-app", "uri"), "pod", ["database in URL", "unknown CA", "no database"]),
        (secret_variable("POSTGRES_URL", "pg-app", "URL"), "pod", ["unknown CA", "no database"]),
        (secret_variable("POSTGRES_URL", "shop-app", "uri"), "everything", ["database in URL"]),
        (secret_variable("POSTGRES_URL", "shop-app", "URL"), "everything", []),
        (secret_variable("MYSQL_URL", "shop-app", "uri"), "everything", []),
        ({"name": "MYSQL_URL", "value": "mysql://u:p@pg-rw"}, "everything", []),
    ],
    ids=str,
)
def test_a_cluster_of_cloudnativepg_serves_postgres_alone(
    entry: dict[str, Any], outlives: str, values: list[str]
) -> None:
    model = only_backend(backend([entry]), CLUSTER)
    assert model.database_outlives.value == outlives
    assert [obstacle.value for obstacle in model.obstacles if "needs the key" not in obstacle.text] == values


@pytest.mark.parametrize(
    ("bootstrap", "made"),
    [
        ({}, True),
        ({"initdb": {"database": "convex"}}, True),
        ({"initdb": {"secret": {"name": "own"}}}, False),
        ({"recovery": {"database": "convex", "owner": "convex"}}, True),
        ({"recovery": {"database": "convex"}}, False),
        ({"recovery": {"owner": "convex"}}, False),
        ({"recovery": {"database": "convex", "owner": "convex", "secret": {"name": "own"}}}, False),
    ],
    ids=str,
)
def test_a_cluster_makes_the_secret_of_a_user_that_it_makes(bootstrap: dict[str, Any], made: bool) -> None:
    entry = secret_variable("POSTGRES_URL", "pg-app", "uri")
    model = only_backend(backend([entry]), {**CLUSTER, "spec": {"bootstrap": bootstrap}})
    assert model.database_outlives.value == ("pod" if made else "everything")


@pytest.mark.parametrize(
    ("env", "value"),
    [
        ({}, 128),
        ({"POSTGRES_MAX_CONNECTIONS": "20"}, 20),
        ({"POSTGRES_MAX_CONNECTIONS": "0"}, 0),
        ({"POSTGRES_MAX_CONNECTIONS": "-1"}, 128),
        ({"POSTGRES_MAX_CONNECTIONS": "twenty"}, 128),
        ({"POSTGRES_MAX_CONNECTIONS": ""}, 128),
        ({"MYSQL_MAX_CONNECTIONS": "20"}, 128),
    ],
    ids=str,
)
def test_connections(env: dict[str, str], value: int) -> None:
    decision = only_backend(backend({"POSTGRES_URL": URL, **env})).database_connections
    assert decision is not None
    assert decision.value == value


def test_documents_in_a_server_outlive_everything_here() -> None:
    assert only_backend(backend([POSTGRES])).database_outlives.value == "everything"


def test_sqlite_follows_its_own_path() -> None:
    model = only_backend(
        backend(
            {"SQLITE_DB": "/db/convex.sqlite3"},
            spec={"volumeClaimTemplates": [claim_template("db")]},
            container=mounted("/db", "db"),
        )
    )
    assert model.engine.text == "SQLite in /db/convex.sqlite3"
    assert model.database_outlives.value == "delete"
    assert model.data_outlives.value == "nothing"
