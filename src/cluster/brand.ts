/** Gives a primitive a name that the compiler checks and that costs nothing at run time. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name }
