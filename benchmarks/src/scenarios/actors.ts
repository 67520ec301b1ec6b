import { HttpConnection, jsonRequest } from "../load/http-connection.ts";

/** The body of `POST /actors` and `PUT /actors`. */
function actorBody(key: string): string {
	return JSON.stringify({
		name: "counter",
		key,
		runner_name_selector: "default",
		crash_policy: "sleep",
	});
}

export function createRequest(key: string): Buffer {
	return jsonRequest("POST", "/actors?namespace=default", actorBody(key));
}

export function incrementRequest(actorId: string, amount: number): Buffer {
	return jsonRequest("POST", `/gateway/${actorId}/action/increment`, `{"args":[${amount}]}`);
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
export async function createActors(port: number, prefix: string, count: number): Promise<string[]> {
	const http = await HttpConnection.open(port);
	try {
		const ids: string[] = [];
		for (let index = 0; index < count; index += 1) {
			ids.push(actorIdOf(await http.call(createRequest(`${prefix}${index}`))));
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
