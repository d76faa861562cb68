// What tests/schema/test_sdks.py has sstorefs do, by Cloudflare's own library.
import Cloudflare from "cloudflare";

const { ADDRESS, TOKEN, ACCOUNT: account_id } = process.env;
const { quota, stores } = new Cloudflare({ apiToken: TOKEN, baseURL: ADDRESS, maxRetries: 0 }).secretsStore;
const page = { account_id, page: 1, per_page: 100, order: "name", direction: "asc" };
const scopes = ["workers"];

const [{ id: store_id }] = (await stores.list(page)).result;
const another = await stores.create({ account_id, name: "another" });
await stores.delete(another.id, { account_id });
await quota.get({ account_id });
await stores.secrets.list(store_id, { ...page, search: "NAME_0" });
const [made] = (await stores.secrets.create(store_id, { account_id, body: [{ name: "NAME_0", value: "one & two=ü [3]", scopes }] })).result;
await stores.secrets.edit(made.id, { account_id, store_id, value: "one & two=ü [3]" });
const copy = await stores.secrets.duplicate(made.id, { account_id, store_id, name: "NAME_1", scopes });
await stores.secrets.delete(copy.id, { account_id, store_id });
