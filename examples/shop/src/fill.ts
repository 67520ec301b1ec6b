import type { Client } from "rivetkit/client";
import type { registry } from "./registry.ts";

/**
 * A day in the shop: something in every part of its actors. A customer stays connected until the client is disposed of.
 *
 * @returns the ids of the actors that there is most to see of, by name
 */
export async function fillShop(client: Client<typeof registry>): Promise<Record<string, string>> {
	for (const key of ["monthly", "party", "picnic"]) await client.basket.getOrCreate([key]).read();
	const basket = client.basket.getOrCreate(["weekly"], { params: { user: "ada" } });
	const customer = basket.connect();
	customer.on("count", () => {});
	await customer.add(1);

	const depot = client.depot.getOrCreate(["north"]);
	await depot.furnish();
	await depot.plan(300);
	// The road is closed: both come back.
	await depot.send("parcels", { to: "Ada" });
	await depot.send("parcels", { to: "Grace" });

	const catalogue = client.catalogue.getOrCreate(["city"]);
	await catalogue.fill();
	const order = client.order.getOrCreate(["0042"]);
	return {
		basket: await basket.resolve(),
		depot: await depot.resolve(),
		catalogue: await catalogue.resolve(),
		order: await order.resolve(),
	};
}
