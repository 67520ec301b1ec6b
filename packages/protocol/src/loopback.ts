import type { HeadersView } from "./host/host.ts";

/** Whether an IP address, as sockets tell it, is one of this machine's own. */
export function isLoopbackAddress(address: string | undefined): boolean {
	return address === "::1" || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(address ?? "");
}

/** Whether a host name or address, as URLs have it, can only mean this machine. */
export function isLoopbackHost(host: string): boolean {
	const name = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
	return name === "localhost" || name.endsWith(".localhost") || isLoopbackAddress(name);
}

/**
 * The `Host` or `Origin` of a request that is not this machine, as it was written; null for none. What is open to
 * programs on this machine is not for web pages, whose scripts run on this machine, too.
 */
export function foreignName(headers: HeadersView): string | null {
	const host = headers.get("host");
	if (host !== null && !isLoopbackUrl(`http://${host}`)) return host;
	const origin = headers.get("origin");
	if (origin !== null && !isLoopbackUrl(origin)) return origin;
	return null;
}

function isLoopbackUrl(url: string): boolean {
	try {
		return isLoopbackHost(new URL(url).hostname);
	} catch {
		return false;
	}
}
