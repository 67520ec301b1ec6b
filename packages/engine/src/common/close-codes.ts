/** Whether an endpoint may send this close code (RFC 6455 section 7.4). */
export function isSendableCloseCode(code: number): boolean {
	return (
		(code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
		(code >= 3000 && code <= 4999)
	);
}
