import { joinUrl } from "@rivetkit/protocol";

/**
 * Base URL and path as one URL (contract: protocol 5.3): one slash between them, none doubled, the
 * path's own query kept, and `query` appended; values that are undefined are left out.
 */
export function combineUrlPath(
	base: string,
	path: string,
	query?: Readonly<Record<string, string | undefined>>,
): string {
	return joinUrl(base, path, query);
}
