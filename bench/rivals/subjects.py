"""Who is measured: how each is started, what is asked of it, and what the right answers are."""

import base64
import dataclasses
import json
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from server import MASTER_KEY, OURS, PATIENCE, Keys, Server, bosa_auth  # noqa: E402

IDENTIFIER = "ana@example.com"
TOKEN, KEY = "verify a token over HTTP", "verify a key over HTTP"
JSON = {"content-type": "application/json"}


@dataclasses.dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: str | None = None


@dataclasses.dataclass
class Question:
    """What is asked in a group: one request with a good answer, and some that must be refused."""

    good: Request
    refused: dict
    # Whether a 2xx answer, parsed, says yes. Any other status says no.
    accepts: object = lambda answer: answer["valid"] is True

    def check(self, server):
        if not self.asks(server, self.good):
            raise RuntimeError("the right credential is refused")
        for what, request in self.refused.items():
            if self.asks(server, request):
                raise RuntimeError(f"accepted: {what}")

    def asks(self, server, request):
        status, _, text = server.call(request.method, request.path, request.headers, request.body)
        if status >= 500:
            raise RuntimeError(f"{request.method} {request.path}: {status} {text}")
        return 200 <= status < 300 and self.accepts(json.loads(text))


class Subject:
    """A system on the core of the servers. `place` says where databases and folders are."""

    name = ""
    # The groups that it takes part in; known before it is started.
    groups = (TOKEN, KEY)

    def __init__(self, place):
        self.place = place
        self.questions = {}
        self.server = None

    def start(self, stack):
        """Starts it for as long as the stack lives, and prepares the questions."""
        raise NotImplementedError


class Ours(Subject):
    def __init__(self, place, database):
        super().__init__(place)
        self.database = database
        self.name = f"bosa-auth, {database}"
        self.folder = place.folder(f"ours-{database}")
        self.url = place.postgres(f"ours_{database.lower()}") if database == "PostgreSQL" else None
        self.settings = {"BOSA_AUTH_ROOT_KEYS": f"k1:{base64.b64encode(os.urandom(32)).decode()}"} if self.url else {}

    def start(self, stack):
        keys = Keys("HS256")
        server = bosa_auth(self.place.program, self.folder, keys, self.settings, self.place.core, self.url)
        self.server = stack.enter_context(server)
        client = server.data("POST", "/clients", MASTER_KEY, name="bench")
        key = client["api_key"]
        user = server.data("POST", "/users", key, identifier=IDENTIFIER)
        good, revoked = (
            server.data("POST", "/auth/tokens", key, identifier=IDENTIFIER, secret=user["secret"])["token"] for _ in range(2)
        )
        server.data("POST", "/auth/tokens/revoke", key, token=revoked)
        self.questions = bosa_questions(key, good, revoked, lambda answer: answer["data"]["valid"] is True)
        self.questions[KEY].accepts = lambda answer: answer["data"]["name"] == "bench"

    def rate(self, seconds):
        """Verifications per second, in process."""
        environment = {
            "DATABASE_AUTHENTICATION_URL": self.url or f"sqlite:///{self.folder}/auth.db",
            "BOSA_AUTH_DATA_DIR": str(self.folder),
            "AUTH_SECRET_KEY": Keys("HS256").signing,
            **self.settings,
        }
        return last_line(self.place.run([self.place.verify_rate, str(seconds)], environment))


class Python(Subject):
    """A rival in Python, behind uvicorn; `setup` of its file has made what it is asked for."""

    file = ""

    def __init__(self, place, python):
        super().__init__(place)
        self.python = python
        url = place.postgres(self.file)
        self.environment = {
            "RIVAL_DATABASE_URL": f"postgresql+psycopg2:{url.partition(':')[2]}?sslmode=disable",
            "RIVAL_SIGNING_KEY": secrets.token_urlsafe(48),
            "PYTHONDONTWRITEBYTECODE": "1",
            # Where the workers of the server find the modules.
            "PYTHONPATH": str(HERE),
            **self.more(place),
        }
        self.made = last_line(place.run(self.command("setup"), self.environment))

    def more(self, place):
        return {}

    def command(self, *arguments):
        return [self.python, str(HERE / f"{self.file}.py"), *map(str, arguments)]

    def start(self, stack):
        server = Server(self.command("serve", self.place.workers), self.environment, self.place.core)
        self.server = stack.enter_context(server)
        self.questions = bosa_questions(self.made["key"], self.made["good"], self.made["revoked"])


class Original(Python):
    name = "bosa-core 0.9.7, FastAPI"
    file = "original"

    def more(self, place):
        host, port = place.redis().split(":")
        return {
            "RIVAL_REDIS_HOST": host,
            "RIVAL_REDIS_PORT": port,
            "BOSA_AUTH_ENCRYPTION_PASSWORD": base64.b32encode(os.urandom(40)).decode(),
            "BOSA_AUTH_ENCRYPTION_SALT": base64.b32encode(os.urandom(20)).decode(),
        }

    def rate(self, seconds, threads):
        """Verifications per second, in process."""
        return last_line(self.place.run(self.command("rate", seconds, threads), self.environment, json.dumps(self.made)))


class Afternoon(Python):
    name = "FastAPI, SQLAlchemy, PyJWT"
    file = "afternoon"


class Node(Subject):
    """A rival in JavaScript. It runs in a folder of its own, from where it finds its packages."""

    file = ""

    def __init__(self, place, packages):
        super().__init__(place)
        self.folder = place.folder(self.file)
        for source in (HERE / f"{self.file}.js", HERE / "package.json"):
            (self.folder / source.name).write_bytes(source.read_bytes())
        modules = self.folder / "node_modules"
        if not modules.exists():
            modules.symlink_to(pathlib.Path(packages) / "node_modules")
        self.environment = {"NODE_ENV": "production", "RIVAL_SIGNING_KEY": secrets.token_urlsafe(48)}

    def command(self, *arguments):
        return ["node", str(self.folder / f"{self.file}.js"), *map(str, arguments)]

    def serve(self, stack, *arguments):
        self.server = stack.enter_context(Server(self.command(*arguments), self.environment, self.place.core))


class OidcProvider(Node):
    name = "oidc-provider 9.13.3"
    file = "oidc_provider"
    groups = (TOKEN,)

    def start(self, stack):
        secret = secrets.token_hex(32)
        self.environment["RIVAL_CLIENT_SECRET"] = secret
        self.serve(stack)
        good, revoked = (json.loads(self.post("/token", secret, "grant_type=client_credentials"))["access_token"] for _ in "12")
        self.post("/token/revocation", secret, f"token={revoked}")
        refused = {
            "an unknown token": self.introspection(altered(good), secret),
            "a revoked token": self.introspection(revoked, secret),
            "a token with a wrong secret of the client": self.introspection(good, altered(secret)),
        }
        self.questions = {
            TOKEN: Question(self.introspection(good, secret), refused, lambda answer: answer["active"] is True)
        }

    def post(self, path, secret, form):
        request = self.form(path, secret, form)
        status, _, text = self.server.call("POST", path, request.headers, form)
        if status != 200:
            raise RuntimeError(f"POST {path}: {status} {text}")
        return text

    def introspection(self, token, secret):
        return self.form("/token/introspection", secret, f"token={token}")

    def form(self, path, secret, form):
        basic = base64.b64encode(f"bench:{secret}".encode()).decode()
        headers = {"authorization": f"Basic {basic}", "content-type": "application/x-www-form-urlencoded"}
        return Request("POST", path, headers, form)


class BetterAuth(Node):
    file = "better_auth"
    groups = (KEY,)

    def __init__(self, place, packages, storage):
        super().__init__(place, packages)
        self.name = f"Better Auth 1.7.25, {storage}"
        self.environment["RIVAL_DATABASE"] = str(self.folder / f"{storage}.db")
        if storage == "memory":
            self.environment["RIVAL_MEMORY"] = str(self.folder / "keys.json")
        self.made = last_line(place.run(self.command("setup"), self.environment))

    def start(self, stack):
        self.serve(stack, self.place.workers)

        def by_key(key):
            return Request("GET", "/", {"x-api-key": key})

        good = self.made["good"]
        refused = {"a wrong key": by_key(altered(good)), "a revoked key": by_key(self.made["revoked"])}
        self.questions = {KEY: Question(by_key(good), refused)}


def bosa_questions(key, good, revoked, accepts=lambda answer: answer["valid"] is True):
    """The questions to those who have our routes."""

    def token(token, key=key):
        return Request("POST", "/auth/tokens/verify", {"x-api-key": key, **JSON}, json.dumps({"token": token}))

    def by_key(key):
        return Request("GET", "/clients/me", {"x-api-key": key})

    wrong_key = altered(key)
    refused = {
        "a token with a wrong signature": token(altered(good)),
        "a revoked token": token(revoked),
        "a token with a wrong key": token(good, wrong_key),
    }
    return {
        TOKEN: Question(token(good), refused, accepts),
        KEY: Question(by_key(key), {"a wrong key": by_key(wrong_key)}, accepts),
    }


def altered(credential):
    """The same with another letter before its last ones."""
    other = "A" if credential[-9] != "A" else "B"
    return credential[:-9] + other + credential[-8:]


def last_line(text):
    """What a program has printed as JSON in its last line."""
    return json.loads(text.strip().rsplit("\n", 1)[-1])


class Place:
    """Where everything runs: cores, folders, PostgreSQL and Redis, which are started when first asked for."""

    def __init__(self, stack, directory, program, verify_rate):
        self.stack, self.directory = stack, pathlib.Path(directory)
        self.program, self.verify_rate = program, verify_rate
        cores = sorted(os.sched_getaffinity(0))
        self.core = cores[0] if len(cores) > 1 else None
        self.workers = 1
        if self.core is not None:
            # What is started from here on without another word stays off the core of the servers: the
            # generator, and the databases of the rivals, which thus have more than that one core.
            os.sched_setaffinity(0, set(cores[1:2]))
        self._postgres = self._redis = None

    def folder(self, name):
        path = self.directory / name
        path.mkdir(exist_ok=True)
        return path

    def run(self, command, environment, given=None):
        """Runs a program on the core of the servers; gives what it prints."""
        inherited = {name: text for name, text in os.environ.items() if not OURS.match(name)}
        done = subprocess.run(
            command, env={**inherited, **environment}, input=given, stdout=subprocess.PIPE, text=True, check=True,
            preexec_fn=None if self.core is None else lambda: os.sched_setaffinity(0, {self.core}),
        )
        return done.stdout

    def postgres(self, name):
        """The URL of a new database."""
        if self._postgres is None:
            script = HERE.parent.parent / "scripts" / "postgres.sh"
            # Beside our folder: the user that runs PostgreSQL has no access to it.
            place = ["--dir", f"{self.directory}-postgres"]
            self.stack.callback(subprocess.run, [script, "stop", *place], check=False)
            subprocess.run([script, "start", *place], stdout=subprocess.DEVNULL, check=True)
            done = subprocess.run([script, "url", *place], stdout=subprocess.PIPE, text=True, check=True)
            self._postgres = done.stdout.strip()
        subprocess.run(["psql", "-Xqc", f"create database {name} template template0", self._postgres], check=True)
        return f"{self._postgres.rpartition('/')[0]}/{name}"

    def redis(self):
        """The address of a Redis that keeps nothing on disk."""
        if self._redis is None:
            program = installed("redis")
            with socket.socket() as one:
                one.bind(("127.0.0.1", 0))
                port = one.getsockname()[1]
            address = f"127.0.0.1:{port}"
            command = [program, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
            command += ["--dir", str(self.directory), "--logfile", str(self.directory / "redis.log")]
            self.stack.enter_context(Server(command, address=address))
            until(lambda: answers(port), "Redis")
            self._redis = address
        return self._redis


def installed(what):
    """Installs what a rival needs, unless it is there, and says where it is."""
    done = subprocess.run([str(HERE / "install.sh"), what], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip().split("\n")[-1]


def answers(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what} did not start")
        time.sleep(0.05)
