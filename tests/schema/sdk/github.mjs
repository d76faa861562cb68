// What tests/schema/test_sdks.py has sstorefs do, by GitHub's own library.
import { Octokit } from "@octokit/rest";

const { ADDRESS, TOKEN } = process.env;
const { actions, repos } = new Octokit({ auth: TOKEN, baseUrl: ADDRESS, log: { debug() {}, info() {}, warn() {}, error() {} } }).rest;
const at = { owner: "octo", repo: "app" }, page = { per_page: 100, page: 1 };
const environment = { ...at, environment_name: "prod" }, secret = { ...environment, secret_name: "NAME_0" };

await repos.getAllEnvironments({ ...at, ...page });
await repos.getEnvironment(environment);
await repos.createOrUpdateEnvironment({ ...at, environment_name: "another" });
await repos.deleteAnEnvironment({ ...at, environment_name: "another" });
await actions.listEnvironmentSecrets({ ...environment, ...page });
await actions.getEnvironmentSecret(secret).catch(() => {});
const { data: { key_id } } = await actions.getEnvironmentPublicKey(environment);
await actions.createOrUpdateEnvironmentSecret({ ...secret, encrypted_value: Buffer.alloc(51).toString("base64"), key_id }).catch(() => {});
await actions.deleteEnvironmentSecret(secret).catch(() => {});

const org = { org: "octo-org" }, name = { ...org, secret_name: "NAME_0" };
await actions.listOrgSecrets({ ...org, ...page });
await actions.getOrgSecret(name).catch(() => {});
const { data: { id } } = await repos.get({ owner: "octo-org", repo: "web" });
const { data: key } = await actions.getOrgPublicKey(org);
await actions.createOrUpdateOrgSecret({
  ...name, encrypted_value: Buffer.alloc(51).toString("base64"), key_id: key.key_id, visibility: "selected", selected_repository_ids: [id],
}).catch(() => {});
await actions.listSelectedReposForOrgSecret({ ...name, ...page }).catch(() => {});
await actions.deleteOrgSecret(name).catch(() => {});
