import { createClient } from "rivetkit/client";
import type { registry } from "./actors.ts";

const client = createClient<typeof registry>(`http://127.0.0.1:${process.env.PORT ?? 6420}`);
const counter = client.counter.getOrCreate(["demo"]);

// One call over HTTP.
console.log("count after a call:", await counter.increment(1));

// A connection over a WebSocket: calls and events.
const connection = counter.connect();
const told = new Promise<number>((resolve) => connection.once("count", resolve));
await connection.increment(10);
console.log("count from the event:", await told);

await client.dispose();
