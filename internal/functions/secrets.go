package functions

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/internal/cli"
)

var errNoKeyring = cli.Misuse(errors.New("encrypting wants --keyring FILE; quoll config keygen NAME draws a key for it"))

// addRaw adds the flag of commands that can show encrypted values as they are.
func (c *configuring) addRaw(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.raw, "raw", false, "show encrypted values as they are")
}

// keys are those of the keyring; nil if none is named.
func (c *configuring) keys() (*configcenter.Keyring, error) {
	switch {
	case c.keyring == "":
		return nil, nil
	case c.raw:
		return nil, cli.Misuse(errors.New("--raw decrypts nothing, --keyring names keys: only one of them"))
	}
	text, err := os.ReadFile(c.keyring)
	if err != nil {
		return nil, fmt.Errorf("--keyring: %w", err)
	}
	return configcenter.ParseKeyring(string(text))
}

// decrypted are the properties of a view as programs use them; as they are, with
// --raw.
func (c *configuring) decrypted(v configcenter.View, keys *configcenter.Keyring) (map[string]string, error) {
	if c.raw {
		return v.Properties, nil
	}
	plain, err := v.Decrypted(keys)
	return plain, c.sealed(err)
}

// sealed adds to an error that is for want of a key what can be done about it.
func (c *configuring) sealed(err error) error {
	switch {
	case !errors.Is(err, configcenter.ErrSealed):
		return err
	case c.keyring != "":
		return fmt.Errorf("%w\nThe keys are those of --keyring %s", err, c.keyring)
	case c.dial != nil: // the command is one of quoll config
		return fmt.Errorf("%w\n--keyring FILE names the keys, --raw shows encrypted values as they are", err)
	}
	return fmt.Errorf("%w\n--keyring FILE names the keys", err)
}

func newKeygen() *cobra.Command {
	return &cobra.Command{
		Use: "keygen NAME", Short: "Draw a key, as a line for a keyring", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			line, err := configcenter.NewKey(args[0])
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), line)
			return err
		},
	}
}

func (c *configuring) encrypt() *cobra.Command {
	return &cobra.Command{
		Use: "encrypt PROPERTY", Short: "Encrypt a value from standard input for a property", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			keys, err := c.keys()
			if err != nil {
				return err
			}
			if keys == nil {
				return errNoKeyring
			}
			value, err := readInput(cmd.InOrStdin(), "the value")
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), keys.Encrypt(args[0], strings.TrimSuffix(string(value), "\n")))
			return err
		},
	}
}
