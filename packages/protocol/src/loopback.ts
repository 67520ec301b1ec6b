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
 * The `Host` or `Origin` of a request that is not this machine, or from where a proxy on this machine has it, as it was
 * written; null for none. What is open to programs on this machine is not for web pages, whose scripts run on this machine,
 * too, nor for whoever a proxy lets in.
 */
export function foreignName(headers: HeadersView): string | null {
	for (const name of ["host", "x-forwarded-host"]) {
		for (const host of listOf(headers.get(name))) {
			if (!isLoopbackUrl(`http://${host}`)) return host;
		}
	}
	const origin = headers.get("origin");
	if (origin !== null && !isLoopbackUrl(origin)) return origin;
	for (const name of ["x-forwarded-for", "x-real-ip"]) {
		for (const address of listOf(headers.get(name))) {
			if (!isLoopbackAddress(address)) return address;
		}
	}
	for (const [, node = ""] of headers.get("forwarded")?.matchAll(FORWARDED_FOR) ?? []) {
		if (!isLoopbackUrl(`http://${node.replaceAll('"', "")}`)) return node;
	}
	return null;
}

/** RFC 7239: `for=192.0.2.60;proto=http, for="[2001:db8::1]:4711"`. */
const FORWARDED_FOR = /(?:^|[;,])\s*for=("[^"]*"|[^;,\s]*)/gi;

function listOf(value: string | null): string[] {
	return value === null ? [] : value.split(",").map((one) => one.trim());
}

function isLoopbackUrl(url: string): boolean {
	try {
		return isLoopbackHost(new URL(url).hostname);
	} catch {
		return false;
	}
}
