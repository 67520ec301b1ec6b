import { actor, event, setup, UserError } from "rivetkit";
import { workflow } from "rivetkit/workflow";

/** Seats of one flight, or rooms of one hotel: whoever books takes one, under the order's name. */
const resource = (total: number) =>
	actor({
		state: { booked: [] as string[] },
		actions: {
			book: (c, order: string) => {
				// The same order may ask twice: its step is repeated when the process ends in the middle.
				if (c.state.booked.includes(order)) return;
				if (c.state.booked.length >= total) throw new UserError(`${c.name} ${c.key} is full`);
				c.state.booked.push(order);
			},
			cancel: (c, order: string) => {
				c.state.booked = c.state.booked.filter((other) => other !== order);
			},
			booked: (c) => [...c.state.booked],
		},
	});

const account = actor({
	state: { balance: 1_000, payments: {} as Record<string, number> },
	actions: {
		charge: (c, payment: string, amount: number) => {
			if (payment in c.state.payments) return;
			if (c.state.balance < amount)
				throw new UserError(`${c.key} has ${c.state.balance}, not ${amount}`);
			c.state.balance -= amount;
			c.state.payments[payment] = amount;
		},
		refund: (c, payment: string) => {
			c.state.balance += c.state.payments[payment] ?? 0;
			delete c.state.payments[payment];
		},
		balance: (c) => c.state.balance,
	},
});

export interface Trip {
	readonly flight: string;
	readonly hotel: string;
	readonly payer: string;
	readonly price: number;
}

interface TripState {
	input: Trip | null;
	status: string;
	log: string[];
}

/** Books a trip: all of it, or none. */
const trip = actor({
	// For the types of the workflow; what an actor begins with is what `createState` makes of its input.
	state: { input: null, status: "booking", log: [] } as TripState,
	createState: (_c, input: Trip) => ({ input, status: "booking", log: [] as string[] }),
	events: { ended: event<string>() },
	run: workflow(async (ctx) => {
		const plan = await ctx.step("plan", (c) => ({
			...(c.state.input as Trip),
			order: c.key.join("/"),
		}));
		await ctx.rollbackCheckpoint("trip");
		await ctx.step({
			name: "begin",
			run: () => {},
			// What was done first is undone last: nothing is booked any more when this runs.
			rollback: async (c) => {
				c.state.status = "failed";
				c.broadcast("ended", c.state.status);
			},
		});
		await ctx.step({
			name: "flight",
			maxRetries: 0,
			run: async (c) => {
				await actors(c).flight.getOrCreate([plan.flight]).book(plan.order);
				c.state.log.push("flight booked");
			},
			rollback: async (c) => {
				await actors(c).flight.getOrCreate([plan.flight]).cancel(plan.order);
				c.state.log.push("flight cancelled");
			},
		});
		await ctx.step({
			name: "hotel",
			maxRetries: 0,
			run: async (c) => {
				await actors(c).hotel.getOrCreate([plan.hotel]).book(plan.order);
				c.state.log.push("hotel booked");
			},
			rollback: async (c) => {
				await actors(c).hotel.getOrCreate([plan.hotel]).cancel(plan.order);
				c.state.log.push("hotel cancelled");
			},
		});
		await ctx.step({
			name: "payment",
			maxRetries: 0,
			run: async (c) => {
				const payer = actors(c).account.getOrCreate([plan.payer]);
				await payer.charge(c.idempotencyKey, plan.price);
				c.state.log.push("paid");
			},
		});
		await ctx.step("done", (c) => {
			c.state.status = "booked";
			c.broadcast("ended", c.state.status);
		});
	}),
	actions: {
		get: (c) => ({
			status: c.state.status,
			log: [...c.state.log],
			error: c.workflow.status().error?.message ?? null,
		}),
	},
});

const actors = (c: { client: <R>() => import("rivetkit").Client<R> }) =>
	c.client<typeof registry>();

export const registry = setup({
	use: { flight: resource(2), hotel: resource(1), account, trip },
	managerPort: Number(process.env.PORT ?? 6420),
});
