import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import { Inspector } from "./inspector.ts";
import { readSession, type Session, writeSession } from "./session.ts";

interface SessionAccess {
	readonly session: Session;
	readonly setSession: (session: Session) => void;
}

const SessionContext = createContext<SessionAccess | null>(null);

export function SessionProvider({ children }: { children: ReactNode }) {
	const [session, setState] = useState(readSession);
	const setSession = useCallback((next: Session) => {
		writeSession(next);
		setState(next);
	}, []);
	const access = useMemo(() => ({ session, setSession }), [session, setSession]);
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
