import type { KvEntry } from "@rivetkit/protocol/inspector/answers";
import { printValue } from "../../values/print.ts";

/** A key as text; as it is written in code where that would not show what it is. */
export function keyText({ key, keyBytes }: Pick<KvEntry, "key" | "keyBytes">): string {
	if (keyBytes !== undefined) return printValue(keyBytes);
	return /^$|^\s|\s$|\p{C}/u.test(key) ? printValue(key) : key;
}
