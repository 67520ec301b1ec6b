import type { ButtonHTMLAttributes, ReactNode } from "react";
import "./button.css";

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
	readonly kind?: "plain" | "primary" | "danger" | "ghost";
	/** Before the label. */
	readonly icon?: ReactNode;
}

export function Button({ kind = "plain", icon, children, className, ...rest }: ButtonProps) {
	const classes = `button button-${kind}${className === undefined ? "" : ` ${className}`}`;
	return (
		<button type="button" {...rest} className={classes}>
			{icon}
			{children}
		</button>
	);
}

export interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
	/** Read out, and shown when the pointer rests on it. */
	readonly label: string;
	readonly children: ReactNode;
}

export function IconButton({ label, children, className, ...rest }: IconButtonProps) {
	const classes = `button button-ghost button-icon${className === undefined ? "" : ` ${className}`}`;
	return (
		<button type="button" {...rest} className={classes} aria-label={label} title={label}>
			{children}
		</button>
	);
}
