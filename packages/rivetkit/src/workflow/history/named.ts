/** What a record has under a name of the user's, which may be that of something every object has. */
export function named<T>(
	record: Readonly<Record<string, T>> | undefined,
	name: string,
): T | undefined {
	return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}
