export { VERSION } from '../cluster/version.ts'
