package datatool

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/internal/proto"
	"github.com/quollhq/quoll/internal/storage"
)

func newConvert() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "convert --to METHOD SNAPSHOT [DESTINATION]",
		Short: "Compress, expand or repack a snapshot",
		Long: `Writes a snapshot again in another compression (gz, snappy, or none), after
verifying it. DESTINATION is a file; without it the new one lies beside the old
one, with the name that its compression asks for. The old one stays: a server
takes the newest snapshot, whichever way it is packed.`,
		Example: `  quoll data convert --to gz /var/lib/zookeeper/version-2/snapshot.4e
  quoll data convert --to none snapshot.4e.snappy /tmp/snapshot.4e`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to == "none" {
				to = ""
			}
			c, err := storage.ParseCompression(to)
			if err != nil {
				return err
			}
			dst, err := destination(args, c)
			if err != nil {
				return err
			}
			info, err := convert(cmd.Context(), args[0], dst, c)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d nodes, %d bytes\n", dst, info.Nodes, info.Size)
			return err
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "gz, snappy or none")
	if err := cmd.MarkFlagRequired("to"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func destination(args []string, c storage.Compression) (string, error) {
	if len(args) > 1 {
		return args[1], nil
	}
	z, _, ok := storage.ParseSnapshotName(filepath.Base(args[0]))
	if !ok {
		return "", fmt.Errorf("%s has not the name of a snapshot: name the destination", args[0])
	}
	return filepath.Join(filepath.Dir(args[0]), storage.SnapshotName(z, c)), nil
}

// convert copies a snapshot section by section: the whole is never in memory.
func convert(ctx context.Context, src, dst string, c storage.Compression) (storage.SnapshotInfo, error) {
	copied := storage.SnapshotInfo{Path: dst, Compression: c}
	s := &snapshotCopy{ctx: ctx, path: src}
	if err := s.head(); err != nil {
		return copied, err
	}
	err := writeNew(dst, func(w io.Writer) error {
		return storage.EncodeSnapshot(w, s, &copied, s.info.Digest.Version != 0, s.info.HasLastZxid)
	})
	if err != nil {
		return copied, err
	}
	st, err := os.Stat(dst)
	if err != nil {
		return copied, err
	}
	copied.Size = st.Size()
	return copied, nil
}

// snapshotCopy is a snapshot file as the source of another.
type snapshotCopy struct {
	ctx      context.Context
	path     string
	info     storage.SnapshotInfo
	sessions []storage.Session
	acls     []storage.SnapshotACL
}

// head reads it all, verifying it, and keeps what stands before the nodes.
func (s *snapshotCopy) head() (err error) {
	s.info, err = storage.ReadSnapshotFile(s.ctx, storage.OS(), s.path, &visitor{
		session: func(id int64, timeOut int32) error {
			s.sessions = append(s.sessions, storage.Session{ID: id, TimeOut: timeOut})
			return nil
		},
		acl: func(id int64, acl []byte) error {
			s.acls = append(s.acls, storage.SnapshotACL{ID: id, ACL: slices.Clone(acl)})
			return nil
		},
	})
	return err
}

// Zxid is the last transaction that the snapshot says it holds.
func (s *snapshotCopy) Zxid() int64 {
	if s.info.HasLastZxid {
		return s.info.LastZxid
	}
	return s.info.Zxid
}

func (s *snapshotCopy) Digest() (storage.SnapshotDigest, bool) { return s.info.Digest, true }
func (s *snapshotCopy) Sessions() []storage.Session            { return s.sessions }
func (s *snapshotCopy) ACLs() []storage.SnapshotACL            { return s.acls }

func (s *snapshotCopy) Walk(yield func(string, []byte, int64, *proto.StatPersisted) error) error {
	_, err := storage.ReadSnapshotFile(s.ctx, storage.OS(), s.path, &visitor{node: yield})
	return err
}
