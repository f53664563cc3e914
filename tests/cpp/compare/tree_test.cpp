// Two trees of a file system that changes and fails at the very moments that a test chooses.

#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>

#include "filetree/compare.hpp"
#include "support/awaited.hpp"

namespace filetree {
namespace {

using testing::patience;

struct Item {
    EntryType type = EntryType::regular;
    std::string content;
    std::uint64_t inode = 0;
};

// Items by path. A call is announced before it is answered: "list a/d", "open a/d", "read a/f".
class Script {
   public:
    void add(const std::string& path, EntryType type, std::string content = {}) {
        const std::lock_guard lock(mutex_);
        items_[path] = {type, std::move(content), ++inodes_};
    }
    void add_directory(const std::string& path) { add(path, EntryType::directory); }
    void add_file(const std::string& path, std::string content) {
        add(path, EntryType::regular, std::move(content));
    }
    [[nodiscard]] std::optional<Item> find(const std::string& path) const {
        const std::lock_guard lock(mutex_);
        const auto found = items_.find(path);
        return found == items_.end() ? std::nullopt : std::optional(found->second);
    }
    [[nodiscard]] Listing list(const std::string& path) const {
        const std::lock_guard lock(mutex_);
        Listing names;
        for (const auto& [name, item] : items_) {
            if (name.rfind('/') != path.size() || !name.starts_with(path)) continue;
            names.add(name.substr(path.size() + 1), untyped ? EntryType::unknown : item.type);
            if (twice && path.front() == 'a') names.add(name.substr(path.size() + 1), item.type);
        }
        return names;
    }

    bool untyped = false;
    bool twice = false;                                 // every name of one tree
    std::function<void(const std::string&)> announced;  // of every call, on many threads

   private:
    mutable std::mutex mutex_;
    std::map<std::string, Item> items_;
    std::uint64_t inodes_ = 0;
};

StatResult told_of(const std::optional<Item>& item) {
    if (!item) return {{}, ENOENT};
    StatResult result;
    result.attributes.mode = static_cast<std::uint32_t>(item->type) << 12U | 0644U;
    result.attributes.inode = item->inode;
    result.attributes.device = 7;
    result.attributes.size = item->content.size();
    result.attributes.blocks = item->content.size();
    return result;
}

class ScriptedFile final : public File {
   public:
    ScriptedFile(const Script& script, std::string path, Item item)
        : script_(script), path_(std::move(path)), item_(std::move(item)) {}

    StatResult attributes() override { return told_of(item_); }
    bool has_true_size() override { return true; }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
        if (script_.announced) script_.announced("read " + path_);
        const std::size_t first = std::min<std::size_t>(offset, item_.content.size());
        return {item_.content.copy(out.data(), out.size(), first), 0};
    }
    std::optional<std::uint64_t> next_data(std::uint64_t offset) override { return offset; }
    std::vector<Extent> shared_extents(bool /*sync*/) override { return {}; }

   private:
    const Script& script_;
    const std::string path_;
    const Item item_;
};

class ScriptedDirectory final : public Directory {
   public:
    ScriptedDirectory(const Script& script, std::string path, Item item)
        : script_(script), path_(std::move(path)), item_(std::move(item)) {}

    StatResult attributes(CallContext& /*context*/) override { return told_of(item_); }
    Result<bool> read(Listing& out, CallContext& /*context*/) override {
        announce("list", path_);
        if (read_) return {false, 0};
        read_ = true;
        out = script_.list(path_);
        return {true, 0};
    }
    std::size_t stat(const Listing& /*names*/, std::size_t /*first*/, std::size_t /*last*/,
                     StatMask /*mask*/, StatResult* /*out*/, CallContext& /*context*/) override {
        return 0;
    }
    Result<std::shared_ptr<Directory>> open(const char* name, CallContext& /*context*/) override {
        const std::string path = path_ + "/" + name;
        announce("open", path);
        const auto found = script_.find(path);
        if (!found) return Result<std::shared_ptr<Directory>>::failure(ENOENT);
        if (found->type != EntryType::directory) {
            return Result<std::shared_ptr<Directory>>::failure(ENOTDIR);
        }
        return {std::make_shared<ScriptedDirectory>(script_, path, *found), 0};
    }
    Result<std::shared_ptr<File>> open_file(const char* name, bool /*follow*/,
                                            CallContext& /*context*/) override {
        const std::string path = path_ + "/" + name;
        announce("open", path);
        const auto found = script_.find(path);
        if (!found) return Result<std::shared_ptr<File>>::failure(ENOENT);
        if (found->type == EntryType::directory) {
            return Result<std::shared_ptr<File>>::failure(EISDIR);
        }
        return {std::make_shared<ScriptedFile>(script_, path, *found), 0};
    }
    StatResult attributes_of(const char* name, bool /*follow*/, CallContext& /*context*/) override {
        announce("stat", path_ + "/" + name);
        return told_of(script_.find(path_ + "/" + name));
    }
    bool dates_changes(const Attributes& /*attributes*/, CallContext& /*context*/) override {
        return true;
    }

   private:
    void announce(const char* call, const std::string& path) const {
        if (script_.announced) script_.announced(call + (" " + path));
    }

    const Script& script_;
    const std::string path_;
    const Item item_;
    bool read_ = false;
};

class ScriptedFileSystem final : public FileSystem {
   public:
    explicit ScriptedFileSystem(const Script& script) : script_(script) {}

    Result<std::shared_ptr<Directory>> open(const std::string& path, CallContext& /*context*/,
                                            bool /*follow*/) override {
        const auto found = script_.find(path);
        if (!found) return Result<std::shared_ptr<Directory>>::failure(ENOENT);
        return {std::make_shared<ScriptedDirectory>(script_, path, *found), 0};
    }
    StatResult attributes(const std::string& path, bool /*follow*/, StatMask /*mask*/,
                          CallContext& /*context*/) override {
        return told_of(script_.find(path));
    }
    [[nodiscard]] bool has_mounts_below(const std::string& /*path*/) const override {
        return false;
    }
    [[nodiscard]] std::size_t descriptor_budget() const override { return 64; }

   private:
    const Script& script_;
};

class Trees : public ::testing::Test {
   protected:
    Trees() {
        for (const std::string top : {"a", "b"}) {
            script.add_directory(top);
            script.add_directory(top + "/d");
            for (int i = 0; i < 200; ++i) script.add_file(top + "/f" + std::to_string(i), "same");
            script.add_file(top + "/d/file", "same");
        }
    }
    std::unique_ptr<TreeComparison> start(TreeOptions options = {}) {
        return std::make_unique<TreeComparison>(pool, std::make_shared<ScriptedFileSystem>(script),
                                                "a", "b", std::move(options));
    }
    // What differs, one word for each, sorted; or the failure.
    std::set<std::string> outcome(TreeOptions options = {}) {
        const auto comparison = start(std::move(options));
        if (!comparison->wait(patience)) return {"still running"};
        if (const auto failure = comparison->failure()) {
            try {
                std::rethrow_exception(failure);
            } catch (const std::exception& error) {
                return {error.what()};
            }
        }
        std::set<std::string> words;
        const Differences& found = comparison->differences();
        for (const auto& [path, reason] : found.diff) words.insert("differs " + path);
        for (const auto& path : found.only_left) words.insert("left " + path);
        for (const auto& path : found.only_right) words.insert("right " + path);
        for (const auto& [path, what] : found.errors) words.insert("error " + path);
        return words;
    }
    static TreeOptions with(CompareOptions files) { return {files, true, {}}; }
    // Does something when a call is announced for the first time.
    void when(const std::string& call, std::function<void()> action) {
        script.announced = [this, call, action = std::move(action)](const std::string& announced) {
            if (announced == call && !happened_.exchange(true)) action();
        };
    }

    Script script;
    Pool pool{4};

   private:
    std::atomic<bool> happened_{false};
};

using Words = std::set<std::string>;

TEST_F(Trees, OfTheSameContentAreEqual) {
    EXPECT_EQ(outcome(), Words{});
    script.add_file("b/d/file", "else");
    script.add_file("b/f199", "longer");
    script.add_file("a/new", "");
    EXPECT_EQ(outcome(), (Words{"differs d/file", "differs f199", "left new"}));
}

TEST_F(Trees, AreComparedWhereListingsTellNoTypes) {
    script.untyped = true;
    script.add_file("b/d/file", "else");
    script.add("a/s", EntryType::socket);
    script.add("b/s", EntryType::fifo);
    EXPECT_EQ(outcome(), (Words{"differs d/file", "differs s"}));
}

TEST_F(Trees, WhoseListingsTellANameTwiceHaveItOnce) {
    script.twice = true;
    EXPECT_EQ(outcome(), Words{});
    script.add_file("a/new", "");
    const auto comparison = start();
    ASSERT_TRUE(comparison->wait(patience));
    EXPECT_EQ(comparison->differences().only_left, std::vector<std::string>{"new"});
    EXPECT_EQ(comparison->differences().only_right, std::vector<std::string>{});
}

TEST_F(Trees, ADirectoryThatBecomesALinkOrFileBeforeItIsOpenedIsAnError) {
    for (const EntryType type : {EntryType::symlink, EntryType::regular, EntryType::fifo}) {
        script.add_directory("b/d");
        script.announced = [&](const std::string& call) {
            if (call == "open b/d") script.add("b/d", type);
        };
        EXPECT_EQ(outcome(), Words{"error d"});
    }
}

TEST_F(Trees, AFileThatBecomesADirectoryBeforeItIsOpenedIsAnError) {
    when("open b/f7", [&] { script.add_directory("b/f7"); });
    EXPECT_EQ(outcome(), Words{"error f7"});
}

TEST_F(Trees, CancelledBetweenPiecesReadNoMore) {
    testing::Awaited opened;
    testing::Awaited cancelled;
    script.announced = [&](const std::string& call) {
        if (!call.starts_with("open")) return;
        opened.add();
        if (!cancelled.reaches(1)) ADD_FAILURE() << "nobody has cancelled";
    };
    const auto comparison = start(with({.max_workers = 2}));
    ASSERT_TRUE(opened.reaches(1));
    comparison->cancel();
    cancelled.add();
    ASSERT_TRUE(comparison->wait(patience));
    EXPECT_NE(comparison->failure(), nullptr);
    EXPECT_LE(opened.value(), 4) << "of 401 that there are";
}

TEST_F(Trees, AnExceptionInOnePieceIsTheFailureOfTheWhole) {
    when("open b/f150", [] { throw std::runtime_error("no luck"); });
    EXPECT_EQ(outcome(), Words{"no luck"});
    when("open b/d", [] { throw std::bad_alloc(); });
    EXPECT_EQ(outcome(), Words{}) << "it happens only once";
}

TEST_F(Trees, LargeFilesAreReadByManyAndOneErrorIsEnough) {
    const std::string content(std::size_t{12} << 20U, 'x');
    for (const std::string top : {"a", "b"}) {
        for (const char* name : {"/l0", "/l1", "/l2"}) script.add_file(top + name, content);
    }
    EXPECT_EQ(outcome(), Words{});
    std::string other = content;
    other.back() = 'y';
    script.add_file("b/l1", other);
    other.front() = 'y';
    script.add_file("b/l2", other);
    for (const bool quick : {true, false}) {
        EXPECT_EQ(outcome(with({.quick_check = quick})), (Words{"differs l1", "differs l2"}));
    }
    script.announced = [](const std::string& call) {
        if (call == "read b/l0") throw CompareError(CompareFailure::unreadable, EIO, "b/l0");
    };
    EXPECT_EQ(outcome(with({.quick_check = false})),
              (Words{"error l0", "differs l1", "differs l2"}));
}

}  // namespace
}  // namespace filetree
