import type { StorageRange } from "@rivetkit/protocol";
import { toStoredText } from "../stored-values.ts";
import { byteaArray } from "./binary-array.ts";
import type { Statement } from "./connection.ts";

/** The number of a live actor, whose id is the first parameter. */
export const ROW_ID =
	"(SELECT a.row_id FROM rivetkit.actors AS a WHERE a.id = $1 AND a.destroy_ts IS NULL)";

/** Entries in the order of their keys, with the time of each if it is asked for. */
export function scanStatement(
	actorId: string,
	{ start, end, limit, reverse = false }: StorageRange,
	isTimed: boolean,
): Statement {
	return {
		name: `scan${reverse ? "_back" : ""}${isTimed ? "_timed" : ""}`,
		text:
			`SELECT k.key, k.value${isTimed ? ", k.put_ts" : ""} FROM rivetkit.kv AS k ` +
			`WHERE k.actor = ${ROW_ID} AND k.key >= $2 AND ($3::bytea IS NULL OR k.key < $3) ` +
			`ORDER BY k.key${reverse ? " DESC" : ""} LIMIT $4`,
		values: [
			toStoredText(actorId),
			Buffer.from(start),
			end === null ? null : Buffer.from(end),
			limit === undefined ? null : Math.max(0, limit),
		],
	};
}

/** Entries in the order of `keys`, those that there are. */
export function getTimedStatement(actorId: string, keys: readonly Uint8Array[]): Statement {
	return {
		name: "get_timed",
		text:
			"SELECT k.key, k.value, k.put_ts FROM unnest($2::bytea[]) WITH ORDINALITY AS w(key, i) " +
			`JOIN rivetkit.kv AS k ON k.actor = ${ROW_ID} AND k.key = w.key ORDER BY w.i`,
		values: [toStoredText(actorId), byteaArray(keys)],
	};
}
