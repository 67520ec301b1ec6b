/** Whether an IP address, as sockets tell it, is one of this machine's own. */
export function isLoopbackAddress(address: string | undefined): boolean {
	return address === "::1" || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(address ?? "");
}

/** Whether a host name or address, as URLs have it, can only mean this machine. */
export function isLoopbackHost(host: string): boolean {
	const name = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
	return name === "localhost" || name.endsWith(".localhost") || isLoopbackAddress(name);
}
