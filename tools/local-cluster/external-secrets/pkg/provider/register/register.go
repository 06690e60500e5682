// The stores that the tests have, in place of upstream's file with all 34: half of the packages to compile.
package register

import (
	_ "github.com/external-secrets/external-secrets/pkg/provider/aws"
	_ "github.com/external-secrets/external-secrets/pkg/provider/vault"
)
