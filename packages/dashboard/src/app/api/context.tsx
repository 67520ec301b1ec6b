import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import { defaultEndpoint } from "../router/endpoint.ts";
import { goToServer, useAddress } from "../router/use-address.ts";
import { Inspector } from "./inspector.ts";
import { readTokens, type Session, sessionOf, writeTokens } from "./session.ts";

interface SessionAccess {
	/** Its endpoint is that of the address. */
	readonly session: Session;
	/** Keeps the tokens, and stays on the page that is open, of that server. */
	readonly connect: (session: Session) => void;
}

const SessionContext = createContext<SessionAccess | null>(null);

export function SessionProvider({ children }: { children: ReactNode }) {
	const endpoint = useAddress().server ?? defaultEndpoint();
	const [tokens, setTokens] = useState(readTokens);
	const connect = useCallback(
		(next: Session) => {
			const { token, engineToken } = next;
			const kept = { ...tokens, [next.endpoint]: { token, engineToken } };
			writeTokens(kept);
			setTokens(kept);
			goToServer(next.endpoint);
		},
		[tokens],
	);
	const access = useMemo(
		() => ({ session: sessionOf(endpoint, tokens), connect }),
		[endpoint, tokens, connect],
	);
	return <SessionContext value={access}>{children}</SessionContext>;
}

export function useSession(): SessionAccess {
	const access = useContext(SessionContext);
	if (access === null) throw new Error("useSession outside of a SessionProvider");
	return access;
}

export function useInspector(actorId: string): Inspector {
	const { session } = useSession();
	return useMemo(() => new Inspector(session, actorId), [session, actorId]);
}
