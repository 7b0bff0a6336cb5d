// Command anchors serves what a push gateway would cost if it did nothing but
// read, or read and parse, what is pushed, and what a scrape costs that sends
// bytes made before. These are the ceilings of a real server on the machine.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9091", "`address` to listen on")
	parser := flag.String("parse", "none", "what is done with a push: none or expfmt")
	blob := flag.Int("blob", 0, "`bytes` of the exposition at /metrics, rounded down to whole lines")
	flag.Parse()

	parse, ok := parsers[*parser]
	if !ok {
		log.Fatalf("unknown parser %q", *parser)
	}
	exposition := syntheticExposition(*blob)
	var pushes, series atomic.Int64

	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		w.Header().Set("Content-Length", strconv.Itoa(len(exposition)))
		w.Write(exposition)
	})
	mux.HandleFunc("/metrics/", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n, err := parse(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		pushes.Add(1)
		series.Add(int64(n))
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%d pushes, %d series\n", pushes.Load(), series.Load())
	})
	log.Fatal(http.ListenAndServe(*listen, mux))
}

// parsers return the number of metrics, where a histogram is one.
var parsers = map[string]func([]byte) (int, error){
	"none":   func([]byte) (int, error) { return 0, nil },
	"expfmt": parseExpfmt,
}

func parseExpfmt(body []byte) (int, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(body))
	n := 0
	for _, f := range families {
		n += len(f.Metric)
	}
	return n, err
}

// syntheticExposition returns up to size bytes of text that compresses about
// as a real exposition does.
func syntheticExposition(size int) []byte {
	values := rand.New(rand.NewPCG(1, 2)) // a short period would flatter compression
	b := make([]byte, 0, size)
	b = append(b, "# TYPE anchor gauge\n"...)
	for i := 0; ; i++ {
		line := fmt.Sprintf("anchor{instance=\"host%d\",job=\"job0\",part=\"p%d\"} %d.%03d\n", i/4, i%4, values.IntN(1000), values.IntN(1000))
		if len(b)+len(line) > size {
			return b
		}
		b = append(b, line...)
	}
}
