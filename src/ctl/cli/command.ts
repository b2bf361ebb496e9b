import type { Session } from '../session.ts'
import type { Argument, Option } from './options.ts'

export type Options = Readonly<Record<string, Option<unknown>>>
export type Arguments = Readonly<Record<string, Argument<unknown>>>

/** What the operator gave, by the names under which the command declares it. */
export type Given<T extends Options | Arguments> = {
  readonly [K in keyof T]: T[K] extends { read(texts: readonly string[]): infer V } ? V : never
}

/** One command: what it takes and what it does. */
export interface Command<A extends Arguments = Arguments, O extends Options = Options> {
  /** One or more sentences for `--help`. */
  readonly description: string
  readonly arguments: A
  readonly options: O
  run(session: Session, args: Given<A>, options: Given<O>): Promise<void>
}

/** A command after its kind of arguments has been forgotten: it reads what it declared, from what was given. */
export interface AnyCommand {
  readonly description: string
  readonly arguments: Arguments
  readonly options: Options
  runWith(
    session: Session,
    args: Readonly<Record<string, unknown>>,
    options: Readonly<Record<string, unknown>>,
  ): Promise<void>
}

export function defineCommand<const A extends Arguments, const O extends Options>(command: Command<A, O>): AnyCommand {
  return {
    description: command.description,
    arguments: command.arguments,
    options: command.options,
    runWith: (session, args, options) => command.run(session, args as Given<A>, options as Given<O>),
  }
}
