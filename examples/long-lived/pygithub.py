"""Authentication for PyGithub: github.Github(auth=GastownAuth())

PyGithub asks for `token` at every request, so the helper answers with the one that is live then.
"""

import json
import subprocess

try:
    from github.Auth import Auth
except ImportError:  # As a plain source of tokens, without PyGithub.
    Auth = object


class GastownAuth(Auth):
    def __init__(self, helper="git-credential-gastown"):
        self._helper = helper

    @property
    def token_type(self):
        return "token"

    @property
    def token(self):
        answer = subprocess.run(
            [self._helper, "token", "--json"], check=True, stdout=subprocess.PIPE
        )
        return json.loads(answer.stdout)["token"]
