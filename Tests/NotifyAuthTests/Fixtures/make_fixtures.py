"""Prints Support/Fixtures.swift: keys, and tokens as real backends sign them.

    pip install PyJWT cryptography Django djangorestframework djangorestframework-simplejwt
    python make_fixtures.py > ../Support/Fixtures.swift

Keys are new each time, and guard nothing: they are for these tests only.
"""
import datetime
import json

import cryptography
import django
import jwt
import rest_framework_simplejwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.conf import settings
from importlib.metadata import version

# As long as the key that `django-admin startproject` makes: 50 characters.
SECRET = "django-tests-5k8^q2v#m1z0x7c3b9n4l6j_h2g5f8d1s0a7p"
EXP = 4102444800  # 2100-01-01

settings.configure(SECRET_KEY=SECRET, USE_TZ=True, INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"])
django.setup()
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken  # noqa: E402


def private_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode().strip()


def public_pem(key, form=serialization.PublicFormat.SubjectPublicKeyInfo):
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode().strip()


def certificate(key):
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    start = datetime.datetime(2025, 1, 1)
    return (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(datetime.datetime(2100, 1, 1))
        .sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode().strip())


def simple_jwt(kind, user):
    token = kind()
    token["user_id"] = user
    token["exp"] = EXP
    return str(token)


def jwk(key, kid, **more):
    kinds = {"rsa": "RSAAlgorithm", "p": "ECAlgorithm", "ed": "OKPAlgorithm", "weak": "RSAAlgorithm"}
    fields = json.loads(getattr(jwt.algorithms, kinds[kid.rstrip("0123456789")]).to_jwk(key.public_key()))
    fields.pop("key_ops", None)
    return {**fields, "kid": kid, "use": "sig", **more}


rsa_key = rsa.generate_private_key(65537, 2048)
weak_key = rsa.generate_private_key(65537, 1024)
p256, p384, p521 = (ec.generate_private_key(c) for c in (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()))
ed = ed25519.Ed25519PrivateKey.generate()
keys = {"rsa": rsa_key, "p256": p256, "p384": p384, "p521": p521, "ed25519": ed}
claims = {"user_id": 42, "exp": EXP}

out = []


def literal(value, indent):
    """A literal whose lines are short: a long one goes on in the next, by a backslash before the line's end."""
    lines = []
    for line in value.splitlines():
        parts = [line[i:i + 100] for i in range(0, len(line), 100)]
        lines += [part + "\\#" for part in parts[:-1]] + parts[-1:]
    space = " " * indent
    return "#\"\"\"\n" + "".join(f"{space}{line}\n" for line in lines) + f'{space}"""#'


def text(name, value, comment):
    out.append(f"  /// {comment}\n  static let {name} = {literal(value, 4)}")


out.append(f"""// Made by Fixtures/make_fixtures.py with PyJWT {jwt.__version__}, djangorestframework-simplejwt
// {version("djangorestframework-simplejwt")}, Django {django.__version__} and cryptography {cryptography.__version__}.
// The keys guard nothing: they are for these tests only.

/// Keys and tokens of other implementations; every token is for user 42 and expires in 2100.
enum Fixtures {{""")
text("secret", SECRET, "The Django `SECRET_KEY`.")
for name, key in keys.items():
    text(f"{name}Private", private_pem(key), "A private key, PKCS #8.")
    text(f"{name}Public", public_pem(key), "Its public key.")
text("rsaPKCS1", public_pem(rsa_key, serialization.PublicFormat.PKCS1), "The RSA key as `RSA PUBLIC KEY`.")
text("rsaCertificate", certificate(rsa_key), "A certificate for the RSA key.")
text("p256Certificate", certificate(p256), "A certificate for the P-256 key.")
text("weakPublic", public_pem(weak_key), "An RSA key of 1024 bits.")
text("weakJWKS", json.dumps({"keys": [jwk(weak_key, "weak", alg="RS256")]}), "The same as a JWKS.")
text("jwks", json.dumps({"keys": [jwk(key, kid) for kid, key in keys.items()]}), "The public keys as a JWKS.")
text("simpleAccess", simple_jwt(AccessToken, 42), "SimpleJWT's access token, `user_id` a number.")
text("simpleAccessText", simple_jwt(AccessToken, "42"), "SimpleJWT's access token, `user_id` a string.")
text("simpleRefresh", simple_jwt(RefreshToken, 42), "SimpleJWT's refresh token.")

tokens = [(alg, jwt.encode(claims, SECRET, alg)) for alg in ("HS256", "HS384", "HS512")]
for alg, kid in [("RS256", "rsa"), ("RS384", "rsa"), ("RS512", "rsa"), ("PS256", "rsa"), ("PS384", "rsa"),
                 ("PS512", "rsa"), ("ES256", "p256"), ("ES384", "p384"), ("ES512", "p521"), ("EdDSA", "ed25519")]:
    tokens.append((alg, jwt.encode(claims, keys[kid], alg, headers={"kid": kid})))
out.append("  /// PyJWT's tokens by algorithm, with a `kid` where the key is public.\n"
           "  static let tokens: [String: String] = [\n"
           + "".join(f'    "{alg}": {literal(token, 4)},\n' for alg, token in tokens) + "  ]\n}")
print("\n".join(out))
