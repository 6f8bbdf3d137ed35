// Asks the service with types made of its own description; prints the answers as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./touchstone.js";

const [url, key] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${key}` } });
const item: components["schemas"]["Item"] = { sku_id: "K-1", market: "DE" };

const scored = await client.POST("/score", { body: { items: [item], explain: true } });
const params = { header: { "Idempotency-Key": "typescript-1" } };
const drawn = await client.POST("/allocate", { body: { budget_eur: 3000 }, params });
const again = await client.POST("/allocate", { body: { budget_eur: 3000 }, params });
const path = { round_id: drawn.data?.round_id ?? "" };
const round = await client.GET("/rounds/{round_id}", { params: { path } });
const unknown = await client.GET("/rounds/{round_id}", { params: { path: { round_id: "r-0" } } });

const misspelt: components["schemas"]["PlanQuestion"] = {
  budget_eur: 3000,
  // @ts-expect-error - a field that the question does not have
  sed: 5,
};
const refused = await client.POST("/allocate", { body: misspelt });

const band: string | undefined = scored.data?.scores[0]?.band;
const state: "open" | "final" | "cancelled" | undefined = round.data?.state;
const sentence: string | undefined = unknown.error?.error;
console.log(JSON.stringify({
  band, state, sentence, rounds: [drawn.data?.round_id, again.data?.round_id], status: refused.response.status,
}));
