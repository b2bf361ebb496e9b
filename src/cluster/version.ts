/** Published in the member key and by REST: members of other versions decide by it, so it is dotted integers from 4.1 on. */
export const VERSION = '5.0.0'
