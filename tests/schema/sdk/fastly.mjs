// What tests/schema/test_sdks.py has sstorefs do, by Fastly's own library.
import Fastly from "fastly";

const { ADDRESS, TOKEN } = process.env;
const client = Fastly.ApiClient.instance, callApi = client.callApi;
client.callApi = (...words) => callApi.call(client, ...words.slice(0, 12), ADDRESS); // each operation has an address of its own
client.authenticate(TOKEN);
const stores = new Fastly.SecretStoreApi(), secrets = new Fastly.SecretStoreItemApi();

const { id: store_id } = (await stores.getSecretStores({ limit: 200, name: "prod" })).data[0];
const another = await stores.createSecretStore({ secret_store: { name: "another" } });
await stores.deleteSecretStore({ store_id: another.id });
// The library calls it client_key, and leaves out what the service calls public_key (doc/apis.md, Fastly 7).
const client_key = (await stores.clientKeyWithHttpInfo()).response.body.public_key;
await secrets.getSecrets({ store_id, limit: 200 });
await secrets.getSecret({ store_id, secret_name: "NAME_0" }).catch(() => {});
const secret = Buffer.from("not sealed, so it is refused").toString("base64");
await secrets.recreateSecret({ store_id, secret: { name: "NAME_0", secret, client_key } }).catch(() => {});
await secrets.recreateSecret({ store_id, secret: { name: "NAME_0", secret } });
await secrets.deleteSecret({ store_id, secret_name: "NAME_0" });
