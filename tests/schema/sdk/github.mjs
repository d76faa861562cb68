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
