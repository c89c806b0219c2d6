"""What an engineer writes in an afternoon: FastAPI, SQLAlchemy 2, PyJWT, PostgreSQL.

    afternoon.py setup            makes the tables, a client and tokens; prints them
    afternoon.py serve WORKERS    listens

A client key is looked up by its SHA-256; a token's signature is checked, then its row. The handlers
block and run on threads: SQLAlchemy's asyncio form uses more processor time for the same.
"""

import datetime
import hashlib
import json
import os
import secrets
import sys
import uuid

import jwt
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel
from serving import THREADS, few_threads
from sqlalchemy import ForeignKey, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

SIGNING_KEY = os.environ["RIVAL_SIGNING_KEY"]
engine = create_engine(os.environ["RIVAL_DATABASE_URL"], pool_size=THREADS)
session = sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Client(Base):
    __tablename__ = "clients"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(unique=True)
    key_hash: Mapped[str] = mapped_column(unique=True)
    is_active: Mapped[bool] = mapped_column(default=True)


class User(Base):
    __tablename__ = "users"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    client_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("clients.id"))
    identifier: Mapped[str]


class Token(Base):
    __tablename__ = "tokens"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    client_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("clients.id"))
    revoked: Mapped[bool] = mapped_column(default=False)


app = FastAPI(openapi_url=None, lifespan=few_threads)


class Body(BaseModel):
    token: str


class Answer(BaseModel):
    valid: bool
    user_id: uuid.UUID | None = None


def current_client(db, key):
    client = db.scalar(select(Client).where(Client.key_hash == hashed(key)))
    if client is None or not client.is_active:
        raise HTTPException(401)
    return client


@app.post("/auth/tokens/verify")
def verify_token(body: Body, x_api_key: str = Header()) -> Answer:
    with session() as db:
        client = current_client(db, x_api_key)
        try:
            claims = jwt.decode(body.token, SIGNING_KEY, algorithms=["HS256"], audience=str(client.id))
        except jwt.InvalidTokenError:
            raise HTTPException(401) from None
        token = db.get(Token, uuid.UUID(claims["jti"]))
        if token is None or token.revoked or token.client_id != client.id:
            raise HTTPException(401)
        return Answer(valid=True, user_id=token.user_id)


@app.get("/clients/me")
def me(x_api_key: str = Header()) -> Answer:
    with session() as db:
        current_client(db, x_api_key)
    return Answer(valid=True)


def application():
    return app


def hashed(key):
    return hashlib.sha256(key.encode()).hexdigest()


def setup():
    Base.metadata.create_all(engine)
    key = "sk-" + secrets.token_urlsafe(32)
    with session() as db:
        client = Client(name="bench", key_hash=hashed(key))
        db.add(client)
        db.flush()
        user = User(client_id=client.id, identifier="ana@example.com")
        db.add(user)
        db.flush()
        tokens = [Token(user_id=user.id, client_id=client.id, revoked=revoked) for revoked in (False, True)]
        db.add_all(tokens)
        db.commit()
    good, revoked = (signed(token) for token in tokens)
    print(json.dumps({"key": key, "good": good, "revoked": revoked, "user_id": str(user.id)}))


def signed(token):
    now = datetime.datetime.now(datetime.timezone.utc)
    claims = {
        "sub": str(token.user_id), "aud": str(token.client_id), "jti": str(token.id),
        "iat": now, "exp": now + datetime.timedelta(days=30),
    }
    return jwt.encode(claims, SIGNING_KEY, algorithm="HS256")


def main():
    verb, *arguments = sys.argv[1:]
    if verb == "setup":
        setup()
    elif verb == "serve":
        from serving import serve

        serve("afternoon:application", int(arguments[0]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
