"""Secrets in the shapes that they have in requests. None of them opens anything: each holds the same made-up word."""

from __future__ import annotations

from base64 import b64encode
from typing import Final, NamedTuple

__all__ = ("SENTINEL", "SHAPES", "Shape")

SENTINEL: Final = "WOMBAT7QUARTZ9XK"
"""16 capitals and digits, which is what the strictest shape takes."""

_PLACE: Final = "{secret}"
_LONG: Final = f"{SENTINEL}bcdfghjk0123456789mnpq"
_LOGIN: Final = b64encode(f"alice:{SENTINEL}".encode()).decode().rstrip("=")
_LINE: Final = f"MIIEvQIBADANBgkqhkiG9w0BAQEF{SENTINEL}AASCBKcwggSjAgEAAoIB"


class Shape(NamedTuple):
    """A text with a secret in it.

    Attributes:
        template: The text, with `{secret}` in the secret's place.
        secret: A secret that fits there. It has only letters, digits and `/`, so that JSON and HTML write it as it is.
    """

    template: str
    secret: str

    @property
    def text(self) -> str:
        """The text with the secret in its place."""
        return self.template.replace(_PLACE, self.secret)


def _shapes(secret: str, **templates: str) -> dict[str, Shape]:
    return {name.replace("_", " "): Shape(template, secret) for name, template in templates.items()}


SHAPES: Final[dict[str, Shape]] = {
    # Tokens by how they begin.
    **_shapes(
        _LONG,
        openai_key="OPENAI_API_KEY=sk-{secret} python run.py",
        openai_project_key="llm keys set openai --value sk-proj-{secret}",
        anthropic_key="claude --settings sk-ant-api03-{secret}",
        github_token="gh auth login --with-token ghp_{secret}",
        github_app_token="git fetch https://example.com/ghs_{secret}",
        github_fine_grained_token="echo github_pat_{secret}",
        gitlab_token="glab auth login --hostname x glpat-{secret}",
        slack_token="slack send xoxb-{secret}",
        slack_webhook="curl -d '{}' https://hooks.slack.com/services/T0123ABCD/B0123ABCD/{secret}",
        google_key="gcloud services lookup AIza{secret}",
        stripe_key="stripe charges list sk_live_{secret}",
        stripe_restricted_key="stripe charges list rk_live_{secret}",
        npm_token="npm publish --otp npm_{secret}",
        pypi_token="twine upload dist/x.whl pypi-{secret}",
        hugging_face_token="hf download x hf_{secret}",
        json_web_token="jwt decode eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.{secret}",
        chatgpt_refresh_token="save rt_{secret}",
        chatgpt_access_token="save at-{secret}",
    ),
    **_shapes(SENTINEL, aws_key_id="aws configure import AKIA{secret}"),
    "private key": Shape(
        f"cat > key.pem <<EOF\n-----BEGIN PRIVATE KEY-----\n{_PLACE}\n{'AbCd0123' * 8}\n-----END PRIVATE KEY-----\nEOF",
        _LINE,
    ),
    "service account": Shape(
        '{"type": "service_account", "private_key": '
        '"-----BEGIN PRIVATE KEY-----\\n{secret}\\n-----END PRIVATE KEY-----\\n"}',
        _LINE,
    ),
    # Headers.
    **_shapes(
        _LONG,
        bearer="curl -H 'Authorization: Bearer {secret}' https://api.example.com",
        bearer_in_a_program='requests.get(url, headers={"Authorization": "Bearer {secret}"})',
        key_header='curl -H "X-Api-Key: {secret}" https://api.example.com',
        cookie="curl -H 'Cookie: session={secret}; theme=dark' https://example.com",
    ),
    **_shapes(_LOGIN, basic="curl -H 'Authorization: Basic {secret}' https://api.example.com"),
    # Arguments and variables.
    **_shapes(
        SENTINEL,
        curl_user="curl -u alice:{secret} https://api.example.com",
        curl_user_in_full="curl --user 'alice:{secret}' https://api.example.com",
        url="git clone https://alice:{secret}@example.com/repo.git",
        query="curl 'https://api.example.com/v1?page=2&api_key={secret}&limit=5'",
        signed_query="curl 'https://storage.example.com/x?se=2030-01-01&sig={secret}'",
        password_option="tool login --password {secret} --verbose",
        password_option_with_a_sign="tool login --password={secret}",
        token_option='tool --token "{secret}" list',
        mysql="mysql -u root -p{secret} shop",
        docker_login="docker login -u alice -p {secret} registry.example.com",
        docker_login_on_stdin="echo {secret} | docker login -u alice --password-stdin",
        sshpass="sshpass -p {secret} ssh alice@example.com",
        openssl="openssl rsa -in key.pem -passin pass:{secret}",
        variable_of_one_command="PGPASSWORD={secret} psql -h db.example.com",
        exported_variable="export FOO_SECRET='{secret}'",
        default_of_a_variable='export DB_PASSWORD="${DB_PASSWORD:-{secret}}"',
    ),
    **_shapes(
        f"{SENTINEL}/bcdfghjk/012345mnpqrst",
        aws_secret_key="AWS_SECRET_ACCESS_KEY={secret} aws s3 ls",
        aws_settings="aws configure set aws_secret_access_key {secret}",
    ),
    # Files.
    **_shapes(
        SENTINEL,
        dotenv="DEBUG=1\nDB_PASSWORD={secret}\nPORT=80",
        json='{"user": "alice", "password": "{secret}"}',
        json_in_json='{"body": "{\\"clientSecret\\": \\"{secret}\\"}"}',
        yaml="database:\n  user: alice\n  password: {secret}\n",
        toml='[registry]\ntoken = "{secret}"\n',
        xml="<server><username>alice</username><password>{secret}</password></server>",
        npmrc="//registry.example.com/:_authToken={secret}",
        netrc="machine example.com login alice password {secret}",
        container_variable="env:\n  - name: API_TOKEN\n    value: {secret}\n",
        connection_string="Server=db;User Id=alice;Password={secret};Encrypt=true",
        program='client = Client(api_key="{secret}")',
    ),
    **_shapes(
        f"{_LONG}AbC0",
        account_key="AccountName=shop;AccountKey={secret}==;EndpointSuffix=core.example.net",
    ),
}
"""By name."""
