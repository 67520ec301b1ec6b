import { createClient } from "rivetkit/client";
import { registry, type Trip } from "./saga-actors.ts";

const { url } = await registry.listen();
const client = createClient<typeof registry>(url);

/** Books a trip, and waits until it is booked or everything is undone. */
async function book(order: string, input: Trip): Promise<void> {
	const trip = client.trip.getOrCreate([order], { createWithInput: input }).connect();
	const ended = new Promise((resolve) => trip.once("ended", resolve));
	// It may have ended before anybody listened.
	if ((await trip.get()).status === "booking") await ended;
	const { status, log, error } = await trip.get();
	console.log(`${order}: ${status}: ${log.join(", ")}${error ? ` (${error})` : ""}`);
	await trip.dispose();
}

const run = Date.now();
const flight = `LH ${run}`;
await book(`${run} first`, { flight, hotel: `Inn ${run}`, payer: `ann ${run}`, price: 700 });
// The hotel is full: the flight is cancelled again.
await book(`${run} second`, { flight, hotel: `Inn ${run}`, payer: `ann ${run}`, price: 100 });
// Too expensive: hotel and flight are cancelled again.
await book(`${run} third`, { flight, hotel: `Bed ${run}`, payer: `ann ${run}`, price: 700 });
console.log("booked:", (await client.flight.getOrCreate([flight]).booked()).length, "of 2 seats");
console.log("balance:", await client.account.getOrCreate([`ann ${run}`]).balance());
await client.dispose();
await registry.shutdown();
