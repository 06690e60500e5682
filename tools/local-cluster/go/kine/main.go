// kine on SQLite: etcd's API on a socket, kept in ./db/state.db. Upstream's main brings the drivers of five other
// databases, because its endpoint package imports them all; the numbers here are its defaults.
//
// Usage: kine SOCKET
package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/drivers/generic"
	"github.com/k3s-io/kine/pkg/drivers/sqlite"
	"github.com/k3s-io/kine/pkg/server"
	"go.etcd.io/etcd/server/v3/embed"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// Wait this long for requests that are under way when told to stop.
	gracefulStop   = 2 * time.Second
	notifyInterval = 5 * time.Second
	// Tells the API server that it may ask for the progress of a watch.
	emulatedEtcd = "3.6.11"
	// What gRPC's frame may add to a request of the largest size.
	grpcOverhead = 512 * 1024
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kine SOCKET")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "kine:", err)
		os.Exit(1)
	}
}

func run(socket string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var background sync.WaitGroup
	backendContext, closeBackend := context.WithCancel(context.Background())
	_, backend, err := sqlite.New(backendContext, &background, &drivers.Config{
		CompactTimeout:       5 * time.Second,
		CompactMinRetain:     1000,
		CompactBatchSize:     1000,
		PollBatchSize:        500,
		PollInterval:         time.Second,
		ConnectionPoolConfig: generic.ConnectionPoolConfig{MaxIdle: 20, MaxIdleTime: 2 * time.Minute},
	})
	if err != nil {
		closeBackend()
		return fmt.Errorf("opening the database: %w", err)
	}
	defer background.Wait()
	defer closeBackend()
	if err := backend.Start(backendContext); err != nil {
		return fmt.Errorf("starting the backend: %w", err)
	}

	endpoint := grpc.NewServer(
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: embed.DefaultGRPCKeepAliveMinTime}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time:    embed.DefaultGRPCKeepAliveInterval,
			Timeout: embed.DefaultGRPCKeepAliveTimeout,
		}),
		grpc.MaxConcurrentStreams(embed.DefaultMaxConcurrentStreams),
		grpc.MaxRecvMsgSize(int(embed.DefaultMaxRequestBytes)+grpcOverhead),
		grpc.MaxSendMsgSize(math.MaxInt32),
	)
	server.New(backend, "unix", notifyInterval, emulatedEtcd).Register(endpoint)
	listener, err := listen(socket)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		timer := time.AfterFunc(gracefulStop, endpoint.Stop)
		defer timer.Stop()
		endpoint.GracefulStop()
	}()
	return endpoint.Serve(listener)
}

// Only root may connect: whoever can, reads and writes every object of the cluster.
func listen(socket string) (net.Listener, error) {
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	return listener, os.Chmod(socket, 0o600)
}
