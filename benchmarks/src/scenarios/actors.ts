import { HttpConnection, jsonRequest } from "../load/http-connection.ts";
import type { Scalar } from "../wire.ts";

/**
 * `sleeper` is a counter that may sleep, `worker` one that counts the messages of its queue, `stepper` one
 * whose workflow counts its steps in its state, `recorder` and `counting` ones that count them in memory, and
 * `looper` and `parked` workflows that wait in an iteration of their loop. `closures` is no workflow and keeps
 * what is the user's of `parked`. `ledger` has a database.
 */
export type ActorName =
	| "counter"
	| "sleeper"
	| "worker"
	| "stepper"
	| "recorder"
	| "looper"
	| "counting"
	| "parked"
	| "closures"
	| "ledger";

/** The body of `POST /actors` and `PUT /actors`. */
function actorBody(key: string, name: ActorName): string {
	return JSON.stringify({
		name,
		key,
		runner_name_selector: "default",
		crash_policy: "sleep",
	});
}

export function createRequest(key: string, name: ActorName = "counter"): Buffer {
	return jsonRequest("POST", "/actors?namespace=default", actorBody(key, name));
}

export function actionRequest(actorId: string, action: string, ...args: Scalar[]): Buffer {
	const body = JSON.stringify({ args });
	return jsonRequest("POST", `/gateway/${actorId}/action/${action}`, body);
}

export function incrementRequest(actorId: string, amount: number): Buffer {
	return actionRequest(actorId, "increment", amount);
}

/** A message that adds to the counter when the actor's run loop handles it. */
export function sendRequest(actorId: string, amount: number): Buffer {
	return jsonRequest("POST", `/gateway/${actorId}/queue/add`, `{"body":${amount}}`);
}

/** A message of a queue with this name. */
export function messageRequest(actorId: string, queue: string, body: number): Buffer {
	return jsonRequest("POST", `/gateway/${actorId}/queue/${queue}`, `{"body":${body}}`);
}

/** So many steps for the actor's workflow. */
export function stepsRequest(actorId: string, steps: number): Buffer {
	return jsonRequest("POST", `/gateway/${actorId}/queue/steps`, `{"body":${steps}}`);
}

const ACTOR_ID = /"actor_id":"([^"]+)"/;

export function actorIdOf(body: string): string {
	const id = ACTOR_ID.exec(body)?.[1];
	if (id === undefined) throw new Error(`no actor id in ${body}`);
	return id;
}

export function outputOf(body: string): number {
	return (JSON.parse(body) as { output: number }).output;
}

/** Creates actors `${prefix}0` … and returns their ids. */
export async function createActors(
	port: number,
	prefix: string,
	count: number,
	name: ActorName = "counter",
): Promise<string[]> {
	const http = await HttpConnection.open(port);
	try {
		const ids: string[] = [];
		for (let index = 0; index < count; index += 1) {
			ids.push(actorIdOf(await http.call(createRequest(`${prefix}${index}`, name))));
		}
		return ids;
	} finally {
		http.close();
	}
}

/** Compares the counters with what was acknowledged: nothing may be lost and nothing done twice. */
export async function verifyCounts(
	port: number,
	ids: readonly string[],
	expected: readonly number[],
): Promise<void> {
	const http = await HttpConnection.open(port);
	try {
		for (const [index, id] of ids.entries()) {
			const count = outputOf(await http.call(incrementRequest(id, 0)));
			if (count !== expected[index]) {
				throw new Error(
					`a counter is at ${count} after ${expected[index]} acknowledged increments`,
				);
			}
		}
	} finally {
		http.close();
	}
}
