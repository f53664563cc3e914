#include "csv_sink.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "path_sink.hpp"
#include "support/fake_directory.hpp"

namespace filetree::report {
namespace {

using filetree::testing::directory_attributes;
using filetree::testing::FakeDirectory;
using filetree::testing::file_attributes;
using State = DirectoryTotals::State;

class TextSinkTest : public ::testing::Test {
   protected:
    // What the sink has written so far.
    std::string written(EntrySink& sink) {
        sink.flush();
        queue->finish();
        std::string out;
        ByteBuffer piece;
        std::shared_ptr<const Mark> mark;
        while (queue->pop(piece, mark, std::chrono::seconds(0)) == TextQueue::Pop::piece) {
            ++pieces;
            out.append(piece.view());
        }
        return out;
    }
    static void add(EntrySink& sink, const WalkedDirectory& parent,
                    const std::vector<std::pair<std::string, Attributes>>& entries) {
        Listing names;
        std::vector<StatResult> stats;
        std::vector<std::uint32_t> selected;
        for (const auto& [name, attributes] : entries) {
            selected.push_back(static_cast<std::uint32_t>(names.size()));
            names.add(name, EntryType::regular);
            stats.push_back({attributes, 0});
        }
        sink.entries(parent, names, selected, 0, stats.data());
    }

    std::shared_ptr<Report::Shared> shared = std::make_shared<Report::Shared>();
    std::shared_ptr<TextQueue> queue =
        std::make_shared<TextQueue>(std::size_t{1} << 30U, shared->gauge);
    FakeDirectory parent{"top/d", directory_attributes(), 0, 77};
    int pieces = 0;
};

class CsvSinkTest : public TextSinkTest {
   protected:
    std::string row(const std::string& name, const Attributes& attributes) {
        add(sink, parent, {{name, attributes}});
        return written(sink);
    }
    CsvSink sink{queue, shared};
};

TEST(CsvHeader, IsThatOfPwalk3) {
    EXPECT_EQ(csv_header,
              "inode,parent-inode,directory-depth,\"filename\",\"fileExtension\",UID,GID,st_size,"
              "st_dev,st_blocks,st_nlink,\"st_mode\",st_atime,st_mtime,st_ctime,pw_fcount,"
              "pw_dirsum\n");
}

TEST_F(CsvSinkTest, WritesAFile) {
    EXPECT_EQ(row("a.tar.gz", file_attributes()),
              "1001,2002,1,\"top/d/a.tar.gz\",\"gz\",1234,5678,4097,64769,16,1,\"0100644\","
              "1600000001,1600000002,1600000003,-1,0\n");
}

TEST_F(CsvSinkTest, NumbersThatRepeatAndChangeAreThoseOfTheirRow) {
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    constexpr auto least = std::numeric_limits<std::int64_t>::min();
    std::vector<std::pair<std::string, Attributes>> entries;
    std::string expected;
    for (const std::int64_t n :
         {std::int64_t{0}, std::int64_t{0}, std::int64_t{5}, std::int64_t{0}, std::int64_t{-1},
          least, std::int64_t{7}, most, std::int64_t{10}, std::int64_t{10}}) {
        Attributes a = file_attributes();
        a.uid = static_cast<std::uint32_t>(n);
        a.gid = static_cast<std::uint32_t>(n + (n < most ? 1 : 0));
        a.device = static_cast<std::uint64_t>(n);
        a.links = static_cast<std::uint64_t>(n) & 0x7FU;
        a.atime.seconds = n;
        a.mtime.seconds = n == 0 ? most : n;
        a.ctime.seconds = n == 0 ? least : n;
        entries.emplace_back("f", a);
        expected += "1001,2002,1,\"top/d/f\",\"\"," + std::to_string(a.uid) + ',' +
                    std::to_string(a.gid) + ",4097," + std::to_string(n) + ",16," +
                    std::to_string(a.links) + ",\"0100644\"," + std::to_string(n) + ',' +
                    std::to_string(a.mtime.seconds) + ',' + std::to_string(a.ctime.seconds) +
                    ",-1,0\n";
    }
    add(sink, parent, entries);
    EXPECT_EQ(written(sink), expected);
}

TEST_F(CsvSinkTest, WritesADirectoryWithItsCountAndSum) {
    const FakeDirectory directory("top/a.d", directory_attributes(), 0, 77);
    sink.directory(directory, {State::complete, 12, 34567, true});
    EXPECT_EQ(written(sink),
              "2002,77,0,\"top/a.d\",\"\",1234,5678,4096,64769,8,3,\"0040755\","
              "1600000001,1600000002,1600000003,12,34567\n");
}

TEST_F(CsvSinkTest, WritesTheTopWithDepthMinusOneAndNoParent) {
    const FakeDirectory top("tt/", directory_attributes(), -1, 0);
    sink.directory(top, {State::complete, 1, 2, true});
    EXPECT_TRUE(written(sink).starts_with("2002,0,-1,\"tt/\",\"\","));
}

TEST_F(CsvSinkTest, LeavesOutADirectoryThatCouldNotBeOpened) {
    const FakeDirectory directory("top/secret", directory_attributes(), 0, 77);
    sink.directory(directory, {State::unreadable, 0, 0, false});
    sink.directory(directory, {State::automount_point, 0, 0, false});
    EXPECT_EQ(written(sink), "");
}

TEST_F(CsvSinkTest, KeepsADirectoryThatCouldNotBeReadToItsEnd) {
    const FakeDirectory directory("top/torn", directory_attributes(), 0, 77);
    sink.directory(directory, {State::unreadable, 5, 6, true});
    EXPECT_TRUE(written(sink).ends_with(",5,6\n"));
}

TEST_F(CsvSinkTest, DoublesQuotesAndDropsControlCharacters) {
    EXPECT_EQ(row("a\"b\"\n\x01\x1f.x\"\ty", file_attributes()),
              "1001,2002,1,\"top/d/a\"\"b\"\".x\"\"y\",\"x\"\"y\",1234,5678,4097,64769,16,1,"
              "\"0100644\",1600000001,1600000002,1600000003,-1,0\n");
    EXPECT_EQ(shared->bad_paths, std::vector<std::string>{"top/d/a\"b\"\n\x01\x1f.x\"\ty"});
    EXPECT_EQ(shared->bad_paths_seen, 1U);
}

TEST_F(CsvSinkTest, WritesAllOtherBytesAsTheyAre) {
    const std::string name = "\x7f,\xff\xc3\xbc \\'";
    EXPECT_TRUE(
        row(name, file_attributes()).starts_with("1001,2002,1,\"top/d/" + name + "\",\"\","));
    EXPECT_EQ(shared->bad_paths_seen, 0U) << "a quote or an odd byte is no bad path";
}

TEST_F(CsvSinkTest, EscapesTheDirectorysPathToo) {
    const FakeDirectory odd("t\"o\np", directory_attributes(), 3, 77);
    add(sink, odd, {{"f", file_attributes()}, {"g", file_attributes()}});
    sink.directory(odd, {State::complete, 2, 0, true});
    const std::string text = written(sink);
    EXPECT_NE(text.find(",4,\"t\"\"op/f\",\"\","), std::string::npos) << text;
    EXPECT_NE(text.find(",4,\"t\"\"op/g\",\"\","), std::string::npos) << text;
    EXPECT_NE(text.find(",3,\"t\"\"op\",\"\","), std::string::npos) << text;
    EXPECT_EQ(shared->bad_paths, (std::vector<std::string>{"t\"o\np/f", "t\"o\np/g", "t\"o\np"}));
}

TEST_F(CsvSinkTest, TakesTheExtensionAsPwalk3Does) {
    for (const auto& [name, extension] : std::vector<std::pair<std::string, std::string>>{
             {".bashrc", ""}, {"a.tar.gz", "gz"}, {"x.", ""}, {"plain", ""}, {".a.b", "b"}}) {
        const auto fresh = std::make_shared<TextQueue>(1000, shared->gauge);
        queue = fresh;
        CsvSink own(queue, shared);
        add(own, parent, {{name, file_attributes()}});
        EXPECT_NE(written(own).find("\"top/d/" + name + "\",\"" + extension + "\",1234"),
                  std::string::npos)
            << name;
    }
}

TEST_F(CsvSinkTest, WritesNumbersAsPwalk3sFormatDoes) {
    Attributes a;
    a.inode = std::numeric_limits<std::uint64_t>::max();
    a.uid = a.gid = std::numeric_limits<std::uint32_t>::max();
    a.size = a.blocks = a.device = std::numeric_limits<std::uint64_t>::max();
    a.links = (std::uint64_t{1} << 32U) - 1;
    a.mode = 07777777;
    a.atime = {std::numeric_limits<std::int64_t>::min(), 0};
    a.mtime = {-1, 999'999'999};
    a.ctime = {std::numeric_limits<std::int64_t>::max(), 0};
    EXPECT_EQ(row("f", a),
              "18446744073709551615,2002,1,\"top/d/f\",\"\",4294967295,4294967295,-1,-1,-1,-1,"
              "\"7777777\",-9223372036854775808,-1,9223372036854775807,-1,0\n");
}

TEST_F(CsvSinkTest, WritesOnlyWhatIsSelected) {
    Listing names;
    for (const char* name : {"a", "b", "c", "d", "e"}) names.add(name, EntryType::regular);
    std::vector<StatResult> stats(3);
    for (std::uint64_t i = 0; i < 3; ++i) stats[i].attributes.inode = 100 + i;
    const std::vector<std::uint32_t> selected{2, 4};
    sink.entries(parent, names, selected, 2, stats.data());
    const std::string text = written(sink);
    EXPECT_TRUE(text.starts_with("100,2002,1,\"top/d/c\",")) << text;
    EXPECT_NE(text.find("\n102,2002,1,\"top/d/e\","), std::string::npos) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST_F(CsvSinkTest, WritesNamesOfTheGreatestLengthAndPathsFarLonger) {
    const FakeDirectory deep(std::string(100'000, '"'), directory_attributes(), 0, 77);
    add(sink, deep, {{std::string(255, '"'), file_attributes()}});
    const std::string text = written(sink);
    EXPECT_NE(text.find(",\"" + std::string(200'000, '"') + "/" + std::string(510, '"') + "\",\""),
              std::string::npos);
}

TEST_F(CsvSinkTest, HandsWholeLinesOverAPieceAtATime) {
    const std::vector<std::pair<std::string, Attributes>> many(
        20'000, {"some name.txt", file_attributes()});
    add(sink, parent, many);
    const std::string text = written(sink);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 20'000);
    EXPECT_GT(pieces, 3);
    EXPECT_EQ(text.size() % 20'000, 0U);
}

class PathSinkTest : public TextSinkTest {
   protected:
    std::string lines(const TextOptions& options) {
        queue = std::make_shared<TextQueue>(100'000, shared->gauge);
        PathSink sink(queue, options);
        add(sink, parent, {{"a\n\xff", file_attributes()}, {"b\"", file_attributes()}});
        sink.directory(parent, {State::complete, 2, 0, true});
        return written(sink);
    }
};

TEST_F(PathSinkTest, WritesRawPathsEachWithATerminator) {
    TextOptions options;
    options.format = TextFormat::lines;
    EXPECT_EQ(lines(options), "top/d/a\n\xff\ntop/d/b\"\ntop/d\n");
    options.format = TextFormat::nul_terminated;
    using namespace std::string_literals;
    EXPECT_EQ(lines(options), "top/d/a\n\xff\0top/d/b\"\0top/d\0"s);
}

TEST_F(PathSinkTest, WritesOnlyTheKindsThatAreWanted) {
    TextOptions options;
    options.format = TextFormat::lines;
    options.directories = false;
    EXPECT_EQ(lines(options), "top/d/a\n\xff\ntop/d/b\"\n");
    options.directories = true;
    options.others = false;
    EXPECT_EQ(lines(options), "top/d\n");
}

}  // namespace
}  // namespace filetree::report
