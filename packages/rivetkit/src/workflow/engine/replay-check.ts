import type { Logger } from "../../log/logger.ts";
import type { Kind } from "../history/entry.ts";
import { isInnerId } from "../history/location.ts";
import type { Scope } from "./scope.ts";

/** Entries of before this order came with a history of 2.1.3, which does not tell in which order they began. */
const KNOWN_ORDER_FROM = 1;

/**
 * Compares the order of the entries that code comes to with the recorded one: code that asks the clock, or
 * draws random numbers, between entries goes another way sooner or later (workflows 1.3, W1d).
 */
export class ReplayCheck {
	readonly #orders = new WeakMap<Scope, { readonly names: readonly string[]; at: number }>();
	readonly #log: Logger;
	#hasDiffered = false;

	/** @param log - told of the first difference */
	constructor(log: Logger) {
		this.#log = log;
	}

	/** The code of a scope has come to this entry. */
	visit(scope: Scope, kind: Kind, name: string): void {
		// What is said of changed code has no place of its own.
		if (this.#hasDiffered || !scope.records || kind === "removed" || kind === "version_check")
			return;
		const order = this.#orderOf(scope);
		while (order.at < order.names.length) {
			const recorded = order.names[order.at]!;
			if (recorded !== name && !scope.visited.has(recorded)) {
				this.#hasDiffered = true;
				const { location } = scope;
				this.#log.warn(
					{
						recorded: location.pathOf({ kind: "name", name: recorded }),
						visited: location.pathOf({ kind: "name", name }),
					},
					"a replay came to another entry than the one that was recorded next: code between entries asks the clock, draws random numbers or reads what changes (ctx.now(), ctx.random(), ctx.uuid() and results of steps do not), or it was changed",
				);
				return;
			}
			order.at++;
			if (recorded === name) return;
		}
	}

	#orderOf(scope: Scope): { readonly names: readonly string[]; at: number } {
		let order = this.#orders.get(scope);
		if (!order) {
			const named = [...scope.records!].filter(
				([id, { kind, createdSequence }]) =>
					!isInnerId(id) &&
					kind !== "removed" &&
					kind !== "version_check" &&
					createdSequence >= KNOWN_ORDER_FROM,
			);
			named.sort(([, a], [, b]) => a.createdSequence - b.createdSequence);
			order = { names: named.map(([name]) => name), at: 0 };
			this.#orders.set(scope, order);
		}
		return order;
	}
}
