"""GitHub's description of a repository, with every member that its schema requires."""

import base64

_PARTS = """archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads events forks git_commits git_refs git_tags
hooks issue_comment issue_events issues keys labels languages merges milestones notifications pulls releases stargazers statuses subscribers subscription tags teams trees""".split()
_PARTS_OF_OWNER = "avatar events followers following gists html organizations received_events repos starred subscriptions".split()
_COUNTS = "forks forks_count network_count open_issues open_issues_count size stargazers_count subscribers_count watchers watchers_count".split()
_SWITCHES = "archived disabled has_discussions has_issues has_pages has_projects has_wiki".split()
_TIMES = dict.fromkeys(("created_at", "pushed_at", "updated_at"), "2026-01-01T00:00:00Z")


def _node(number):
    return base64.b64encode(str(number).encode()).decode()


def _owner(name):
    url = f"https://api.github.com/users/{name}"
    return {"login": name, "id": 1, "node_id": _node(1), "gravatar_id": "", "type": "Organization", "site_admin": False, "url": url,
            **{f"{part}_url": f"{url}/{part}" for part in _PARTS_OF_OWNER}}


def in_a_list(number, full_name):
    """As listings have it."""
    owner, _, name = full_name.partition("/")
    url = f"https://api.github.com/repos/{full_name}"
    return {"id": number, "node_id": _node(number), "name": name, "full_name": full_name, "owner": _owner(owner), "private": True, "fork": False,
            "description": None, "html_url": f"https://github.com/{full_name}", "url": url, **{f"{part}_url": f"{url}/{part}" for part in _PARTS}}


def alone(number, full_name, may_push):
    """As it is described by itself."""
    permissions = dict.fromkeys(("admin", "maintain", "push", "triage"), may_push) | {"pull": True}
    site = f"https://github.com/{full_name}.git"
    return {**in_a_list(number, full_name), **_TIMES, **dict.fromkeys(_COUNTS, 0), **dict.fromkeys(_SWITCHES, False),
            **dict.fromkeys(("homepage", "language", "license", "mirror_url")), "default_branch": "main", "permissions": permissions,
            "clone_url": site, "git_url": site, "ssh_url": site, "svn_url": site}
