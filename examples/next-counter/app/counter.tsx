"use client";

import { createRivetKit } from "@rivetkit/next-js/client";
import { useEffect, useState } from "react";
import type { registry } from "../src/actors.ts";

// The endpoint is this page's origin and /api/rivet, the client's default in a browser.
const { useActor } = createRivetKit<typeof registry>();

export function Counter({ name }: { name: string }) {
	const { connection, connStatus, error, useEvent } = useActor({ name: "counter", key: [name] });
	const [count, setCount] = useState<number | null>(null);
	const [watching, setWatching] = useState(0);
	useEvent("count", setCount);
	useEvent("watching", setWatching);

	// Also after a reconnect: what was counted meanwhile is in the state.
	useEffect(() => {
		if (connStatus !== "connected") return;
		connection?.current().then((now) => {
			setCount(now.count);
			setWatching(now.watching);
		});
	}, [connection, connStatus]);

	const add = (amount: number) => connection?.add(amount).then(setCount);
	return (
		<section>
			<output>{count ?? "…"}</output>
			<p>
				<button type="button" onClick={() => add(-1)}>
					−1
				</button>
				<button type="button" onClick={() => add(1)}>
					+1
				</button>
			</p>
			<footer data-status={connStatus}>
				{error ? error.message : `${connStatus}, ${watching} watching`}
			</footer>
		</section>
	);
}
