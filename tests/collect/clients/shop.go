// go run . HOST KEY USER: the same as segment.mjs with Segment's Go SDK.
package main

import (
	"fmt"
	"os"
	"time"

	"gopkg.in/segmentio/analytics-go.v3"
)

type failures struct{}

func (failures) Success(analytics.Message) {}
func (failures) Failure(_ analytics.Message, err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	host, key, user := os.Args[1], os.Args[2], os.Args[3]
	client, err := analytics.NewWithConfig(key, analytics.Config{
		Endpoint: host, BatchSize: 7, Interval: 200 * time.Millisecond, Callback: failures{}})
	if err != nil {
		panic(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	for i := 0; i < 50; i++ {
		client.Enqueue(analytics.Track{UserId: user, Event: "Product Viewed", Timestamp: at,
			MessageId:  fmt.Sprintf("%s-view-%d", user, i),
			Properties: analytics.NewProperties().Set("product_id", fmt.Sprintf("p-%d", i)).SetCategory("shoes")})
	}
	client.Enqueue(analytics.Track{UserId: user, Event: "Order Completed", Timestamp: at,
		MessageId: user + "-order",
		Properties: analytics.NewProperties().SetOrderId("o-1").SetTotal(25).SetCurrency("USD").
			Set("products", []map[string]any{{"product_id": "p-7", "price": 12.5, "quantity": 2}})})
	client.Enqueue(analytics.Identify{UserId: user, Timestamp: at, MessageId: user + "-identify",
		Traits: analytics.NewTraits().SetAge(34).Set("address", map[string]string{"city": "Manila"})})
	client.Enqueue(analytics.Page{AnonymousId: user + "-anonymous", Name: "Home", Timestamp: at,
		MessageId: user + "-page"})
	client.Enqueue(analytics.Group{UserId: user, GroupId: "g-1", Timestamp: at,
		MessageId: user + "-group", Traits: analytics.NewTraits().Set("industry", "logistics")})
	if err := client.Close(); err != nil {
		panic(err)
	}
}
