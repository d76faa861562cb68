// What tests/schema/test_sdks.py has sstorefs do, by Stripe's own library.
import Stripe from "stripe";

const { ADDRESS, TOKEN } = process.env;
const at = new URL(ADDRESS);
const { secrets } = new Stripe(TOKEN, { protocol: "http", host: at.hostname, port: at.port, maxNetworkRetries: 0 }).apps;
const scope = { type: "account" };

await secrets.list({ scope, limit: 100 });
await secrets.find({ scope, name: "NAME_0" }).catch(() => {});
await secrets.create({ scope, name: "NAME_0", payload: "one & two=ü [3]" });
await secrets.deleteWhere({ scope, name: "NAME_0" });
