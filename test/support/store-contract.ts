/** For the tests of rooms that may not see the adapters' one. */
export { storeContract } from '../../src/dcs/contract.ts'
