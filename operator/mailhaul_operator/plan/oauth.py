"""How the relay gets access tokens for one provider: what the resource says, else what its profile knows.

Called by `upstreams` and, for the address that a credential belongs to, by `credentials`. Pure.
"""

from mailhaul_contract.oauth import Grant, OAuth
from mailhaul_operator.api.profiles import profile
from mailhaul_operator.api.provider_auth import ProviderOAuth
from mailhaul_operator.api.upstreamprovider import UpstreamProvider


def oauth(provider: UpstreamProvider, authority: str) -> OAuth | None:
    """Give it with the PEM text of the authorities to trust ("" for the system's); None where no tokens are used."""
    wanted = provider.spec.auth.oauth
    if wanted is None:
        return None
    return OAuth(
        grant=wanted.grant, token_url=token_url(provider, wanted), scope=_scope(provider, wanted), ca=authority
    )


def token_url(provider: UpstreamProvider, wanted: ProviderOAuth) -> str:
    """Give the address of the token server; the resource's rules have seen to it that there is one."""
    known = profile(provider.spec.type).oauth
    return wanted.token_url or (known.token_url.replace("{tenant}", wanted.tenant) if known else "")


def _scope(provider: UpstreamProvider, wanted: ProviderOAuth) -> str:
    known = profile(provider.spec.type).oauth
    if wanted.scope or known is None:
        return wanted.scope
    return known.client_scope if wanted.grant is Grant.CLIENT_CREDENTIALS else known.refresh_scope
