import { actor, queue } from "rivetkit";

/** Where parcels leave: a queue whose messages fail while the road is closed, jobs, and entries by key. */
export const depot = actor({
	options: { name: "Depot", icon: "truck", maxQueueSize: 20_000 },
	state: { isRoadOpen: false, delivered: [] as string[] },
	queues: {
		parcels: queue<{ to: string }>({ maxAttempts: 1, deadLetter: "returned" }),
		returned: queue<{ to: string }>(),
		// For another day: nobody takes them yet.
		tours: queue<{ number: number }>(),
	},
	run: async (c) => {
		for await (const parcel of c.queue.iter({ names: ["parcels"], completable: true })) {
			if (!c.state.isRoadOpen) throw new Error(`No road leads to ${parcel.body.to}`);
			c.state.delivered.push(parcel.body.to);
			await parcel.complete();
		}
	},
	actions: {
		openRoad: (c) => {
			c.state.isRoadOpen = true;
		},
		plan: async (c, tours: number) => {
			for (let number = 0; number < tours; number++) await c.queue.send("tours", { number });
		},
		furnish: async (c) => {
			await c.kv.put("address", "12 North Street");
			await c.kv.put("stamp", new Uint8Array([0, 255, 1]));
			for (let shelf = 0; shelf < 40; shelf++)
				await c.kv.put(`shelf/${String(shelf).padStart(3, "0")}`, `${shelf}`);
			await c.schedule.after(3_600_000, "openRoad");
			await c.cron.set({ name: "collect", expression: "0 6 * * *", action: "collect" });
			await c.cron.every({ name: "tick", interval: 5_000, action: "collect" });
		},
		collect: (c) => c.state.delivered.length,
		delivered: (c) => c.state.delivered,
	},
});
